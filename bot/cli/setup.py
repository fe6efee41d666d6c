"""What every command does first: read the settings and set up the logs."""

import os
from pathlib import Path

from pydantic import SecretStr

from bot.core import logs
from bot.core.errors import ConfigError
from bot.core.settings import Settings, load


def start(**overrides: object) -> Settings:
    """The settings, with the logs set up to hide their secrets. Raises `ConfigError`."""
    settings = load(**overrides)
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    logs.configure(settings.log_level, as_json=settings.log_format == "json", secrets=secrets)
    return settings


def folder_of(settings: Settings) -> Path:
    """DATA_DIR, made where it is not there yet. Raises `ConfigError`."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"DATA_DIR {settings.data_dir} cannot be used: {os.strerror(error.errno or 0)}.") from None
    return settings.data_dir
