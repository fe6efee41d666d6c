"""Every setting of the bot as one typed object, read from the environment and from `.env`.

Importing this module reads nothing: `Settings()` does. `.env.example` lists the same names, and a test
loads it, so neither can grow without the other.
"""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.core.errors import ConfigError

OPENAI_URL = "https://api.openai.com/v1"
# OpenAI's default chat model on 2026-11-22; it answers without reasoning at effort "none".
DEFAULT_OPENAI_MODEL = "gpt-6-luna"
# What answers where no chat model is connected: rules of the local engine's, and no model.
STAND_IN = "stand-in"

Ids = Annotated[frozenset[int], NoDecode]


class Settings(BaseSettings):
    """Settings of one process. Secrets are `SecretStr`: they never show in `repr` or in logs."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )

    discord_token: SecretStr | None = Field(None, description="The bot's token; only `fewshot run` needs it.")
    guild_ids: Ids = Field(
        frozenset(), description="Servers to register commands in at once, by id, separated by commas."
    )
    operator_ids: Ids = Field(
        frozenset(), description="People who may train models, beside the application's owner and team."
    )
    operator_guild_ids: Ids = Field(
        frozenset(), description="Servers that show /finetune; default: GUILD_IDS, else every server."
    )

    openai_api_key: SecretStr | None = Field(
        None, description="Key for the chat model; without key and address the stand-in answers."
    )
    openai_base_url: str | None = Field(
        None, description="Address of any server that speaks OpenAI's chat completions, with its /v1."
    )
    chat_model: str | None = Field(
        None, description="Chat model; default: gpt-6-luna with OpenAI, else the first that the server lists."
    )
    chat_concurrency: int = Field(64, ge=1, le=1000, description="Calls to the model at one time.")

    tuning_provider: Literal["engine", "openai", "nebius", "custom"] = Field(
        "engine", description="Where models are tuned: engine (the local one), openai, nebius or custom."
    )
    tuning_base_url: str | None = Field(None, description="Address of a custom tuning provider.")
    tuning_api_key: SecretStr | None = Field(None, description="Key for tuning; default with openai: OPENAI_API_KEY.")
    tuning_model: str | None = Field(
        None, description="Base model to tune; default: the provider's cheapest that can be tuned."
    )

    database_url: str | None = Field(
        None, description="SQLAlchemy address of the database; default: SQLite in DATA_DIR."
    )
    data_dir: Path = Field(Path("data"), description="Folder for the database, models and locks.")
    corpora: Annotated[dict[str, Path], NoDecode] = Field(
        default_factory=dict, description="Folders of texts to train on, `name=folder,…`; racing is built in."
    )

    message_content: bool = Field(False, description="Read plain messages in adventures; needs the privileged intent.")
    user_install: bool = Field(
        False, description="Let people install the bot for themselves; must be switched on in the portal too."
    )

    story_tokens: int = Field(
        6_000, ge=2_000, le=100_000, description="Tokens that the prompt of a turn in an adventure may take."
    )

    retention_days: int = Field(
        7, ge=0, le=30, description="Days that a prompt is kept for its Prompt button; 0 keeps none."
    )
    daily_tokens_per_user: int = Field(250_000, ge=1, description="Tokens a person may use in a UTC day.")
    daily_tokens_per_guild: int = Field(1_000_000, ge=1, description="Tokens a server may use in a UTC day.")
    daily_tokens: int = Field(5_000_000, ge=1, description="Tokens the whole bot may use in a UTC day.")
    monthly_usd: float = Field(20.0, gt=0, description="US dollars the whole bot may spend in a UTC month.")

    moderation_model: str | None = Field(
        None, description="Moderation model of the same server that input and output must pass; off when unset."
    )

    health_port: int | None = Field(
        None, ge=1, le=65535, description="Port on loopback for /livez and /readyz; off when unset."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged: DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines for people (text) or for machines (json)."
    )

    @field_validator("guild_ids", "operator_ids", "operator_guild_ids", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        """`1, 2` as a set; pydantic-settings would want JSON."""
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not all(part.isdecimal() for part in parts):
            raise ValueError("write ids as numbers, separated by commas")
        return frozenset(parts)

    @field_validator("corpora", mode="before")
    @classmethod
    def _corpora(cls, value: object) -> object:
        """`name=folder,…` as a dict."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not equals or not folder.strip() for _, equals, folder in pairs):
            raise ValueError("write it as name=folder, separated by commas")
        return {name.strip(): folder.strip() for name, _, folder in pairs}

    @field_validator("discord_token", "openai_api_key", "tuning_api_key", mode="before")
    @classmethod
    def _key(cls, value: object) -> object:
        """A key without the blank space that was copied along; what no header could carry is refused here."""
        if not isinstance(value, str):
            return value
        if not value.isascii() or not value.strip().isprintable():
            raise ValueError("it holds characters that no key has; copy it again")
        return value.strip() or None

    @field_validator("openai_base_url", "tuning_base_url", mode="after")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        """An address that a client can use."""
        if value is None:
            return None
        parts = urlsplit(value)
        # Reading the port raises ValueError for one that is no number.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("it is no address such as http://127.0.0.1:11434/v1")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _moderated(self) -> Self:
        """A moderation needs a server that has one."""
        if self.moderation_model is not None and not self.has_model:
            raise ValueError("MODERATION_MODEL needs OPENAI_API_KEY or OPENAI_BASE_URL beside it")
        return self

    @property
    def has_model(self) -> bool:
        """Whether a language model is configured; else the local engine's stand-in answers."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def database(self) -> str:
        """The database's SQLAlchemy address, with the default filled in."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'fewshot.sqlite3'}"


def load(**overrides: object) -> Settings:
    """Settings from environment and `.env`, `overrides` on top.

    Raises `ConfigError` that names every setting that is wrong, without its value: it may be a secret.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in issue['loc']).upper()}: {issue['msg'].removeprefix('Value error, ')}"
            for issue in error.errors(include_input=False)
        )
        raise ConfigError("Some settings cannot be used. {problems}. See .env.example.", problems=problems) from None
    except UnicodeDecodeError:
        raise ConfigError("The file .env is not in UTF-8; save it with that encoding.") from None
