"""What every command does first: read the settings and set up the logs."""

from pydantic import SecretStr

from bot.core import logs
from bot.core.settings import Settings, load


def start(**overrides: object) -> Settings:
    """The settings, with the logs set up to hide their secrets. Raises `ConfigError`."""
    settings = load(**overrides)
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    logs.configure(settings.log_level, as_json=settings.log_format == "json", secrets=secrets)
    return settings
