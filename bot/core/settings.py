"""All settings as one typed object, read from the environment and from `.env`.

Importing this module reads nothing; `load()` does. `.env.example` lists the same names, and a test compares them.
"""

import json
import os
import re
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.core.errors import ConfigError
from bot.core.proxies import is_http

OPENAI_URL = "https://api.openai.com/v1"
# OpenAI's default chat model on 2026-11-22; it answers without reasoning at effort "none".
DEFAULT_OPENAI_MODEL = "gpt-6-luna"
# The name of what answers without a chat model: rules of the local engine, no language model.
STAND_IN = "stand-in"
# Ends the name of a model that runs on this machine: in what the bot asks for, which costs nothing then, and in what
# the local engine's answers state as their model.
LOCAL_SUFFIX = " (local)"
# Discord offers so many choices at once, with so many characters.
MAX_MODELS, MAX_MODEL_NAME = 25, 100


def _with_home(path: Path) -> Path:
    """`path` with `~` replaced by the home folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("its ~ names a home folder that does not exist") from None


def _checked_key(value: object) -> object:
    """Refuse a key that an HTTP header could not contain."""
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        raise ValueError("it contains characters that no key has; copy it again")
    return value


def _checked_address(value: str) -> str:
    """Refuse what is not an HTTP address, and an address with a password, which messages would show."""
    # `urlsplit` ignores control characters, which no client would send.
    if not is_http(value) or not value.isprintable() or " " in value:
        raise ValueError("it is not an address such as http://127.0.0.1:11434/v1")
    if "@" in urlsplit(value).netloc:
        raise ValueError("it must not contain a user name or password; set the server's key in the setting for it")
    return value


Key = Annotated[SecretStr, BeforeValidator(_checked_key)]
Address = Annotated[str, AfterValidator(_checked_address)]
Ids = Annotated[frozenset[int], NoDecode]
# The type of every setting that is a folder.
Folder = Annotated[Path, AfterValidator(_with_home)]


class ListedModel(BaseModel, frozen=True, extra="forbid"):
    """One of CHAT_MODELS. Without a `base_url` it is at OPENAI_BASE_URL, and asked with OPENAI_API_KEY."""

    name: str = Field(min_length=1, max_length=MAX_MODEL_NAME)
    label: str = Field("", max_length=MAX_MODEL_NAME)
    base_url: Address | None = None
    key: Key | None = None


class Settings(BaseSettings):
    """The settings of one process. Secrets are `SecretStr`, which `repr` does not show."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    discord_token: Key | None = Field(None, description="The bot's token; only `fewshot run` needs it.")
    guild_ids: Ids = Field(
        frozenset(), description="Servers to register commands in at once, by id, separated by commas."
    )
    operator_ids: Ids = Field(
        frozenset(), description="People who may train models, beside the application's owner and team."
    )
    operator_guild_ids: Ids = Field(
        frozenset(), description="Servers that show /finetune; default: GUILD_IDS, else every server."
    )

    discord_api: Address | None = Field(
        None, description="Address of a rate-limit proxy that passes requests on to Discord; default: Discord itself."
    )

    openai_api_key: Key | None = Field(
        None, description="Key for the chat model; without key and address the stand-in answers."
    )
    openai_base_url: Address | None = Field(
        None, description="Address of any server that speaks OpenAI's chat completions, with its /v1."
    )
    chat_model: str | None = Field(
        None, description="Chat model; default: gpt-6-luna with OpenAI, else the first that the server lists."
    )
    chat_models: Annotated[tuple[ListedModel, ...], NoDecode] = Field(
        (),
        max_length=MAX_MODELS,
        description='Models to choose from, as JSON: [{"name", "label", "base_url", "key"}, …]; the first answers.',
    )
    chat_concurrency: int = Field(64, ge=1, le=1000, description="Calls to one model server at one time.")
    model_timeout: float | None = Field(
        None,
        gt=0,
        le=600,
        description="Seconds to wait for the first word of an answer; default: 60, for a server on this machine 300.",
    )

    models_dir: Folder | None = Field(None, description="Folder of local chat models; default: models in DATA_DIR.")
    model_idle_minutes: float = Field(
        15, gt=0, description="Minutes without a question after which a local model leaves the memory."
    )

    tuning_provider: Literal["engine", "openai", "nebius", "custom"] = Field(
        "engine", description="Where models are tuned: engine (the local one), openai, nebius or custom."
    )
    serving_url: Address | None = Field(
        None, description="Address of a vLLM server that answers for models tuned from open weights."
    )
    ray_address: Address | None = Field(
        None,
        description="Address of a Ray cluster's dashboard that trains the local engine's jobs; default: this machine.",
    )
    ray_gpus: float = Field(0.0, ge=0, description="GPUs that each training on the Ray cluster reserves.")
    tuning_base_url: Address | None = Field(None, description="Address of a custom tuning provider.")
    tuning_api_key: Key | None = Field(None, description="Key for tuning; default with openai: OPENAI_API_KEY.")
    tuning_model: str | None = Field(
        None,
        description="Base model to tune; default: the provider's cheapest that can be tuned; custom has no default.",
    )

    database_url: str | None = Field(
        None, description="SQLAlchemy address of the database; default: SQLite in DATA_DIR."
    )
    shards: int | None = Field(
        None, ge=1, le=10_000, description="Shards of all processes together; default: as many as Discord recommends."
    )
    slots: int = Field(
        1, ge=1, le=1_000, description="Processes that share the bot's work; more than 1 need PostgreSQL."
    )
    data_dir: Folder = Field(Path("data"), description="Folder for the database, models and locks.")
    corpora: Annotated[dict[str, Folder], NoDecode] = Field(
        default_factory=dict, description="Folders of texts to train on, `name=folder,…`; racing is built in."
    )

    templates_dir: Folder | None = Field(
        None, description="Folder of your own templates; those with a `command` section become slash commands."
    )

    message_content: bool = Field(False, description="Read plain messages in adventures; needs the privileged intent.")
    user_install: bool = Field(
        False, description="Let people install the bot for themselves; must be switched on in the portal too."
    )

    story_tokens: int = Field(
        6_000,
        ge=2_000,
        le=100_000,
        description="Tokens that the prompt of an adventure's turn, or of a follow-up, may take.",
    )

    retention_days: int = Field(
        7, ge=0, le=30, description="Days that a prompt is kept for its Prompt button; 0 keeps none."
    )
    daily_tokens_per_user: int = Field(250_000, ge=1, description="Tokens a person may use in a UTC day.")
    daily_tokens_per_guild: int = Field(1_000_000, ge=1, description="Tokens a server may use in a UTC day.")
    daily_tokens: int = Field(5_000_000, ge=1, description="Tokens the whole bot may use in a UTC day.")
    monthly_usd: float = Field(20.0, gt=0, description="US dollars the whole bot may spend in a UTC month.")

    prices_file: Annotated[Path, AfterValidator(_with_home)] | None = Field(
        None, description="JSON file with prices of models, in place of those that the bot knows."
    )
    unknown_price: float = Field(
        1.0, ge=0, le=1_000_000, description="US dollars that a million tokens of a model without a known price count."
    )
    model_watch_usd: float = Field(
        0.0, ge=0, description="US dollars that the tests of one server may take when its model changes; 0: no tests."
    )

    calls_per_person: int = Field(
        3, ge=1, le=1000, description="Answers that one person may wait for at a time; further requests queue."
    )

    moderation_model: str | None = Field(
        None, description="Moderation model of the same server that input and output must pass; off when unset."
    )

    privacy_url: Address | None = Field(
        None, description="Address of your privacy policy, for /help; default: the one in the developer portal."
    )
    terms_url: Address | None = Field(
        None, description="Address of your terms of service, for /help; default: the one in the developer portal."
    )

    health_port: int | None = Field(
        None, ge=1, le=65535, description="Port on loopback for /livez, /readyz and /metrics; off when unset."
    )
    health_host: str = Field(
        "127.0.0.1", description="Address to listen on for health checks; 0.0.0.0 for a container's probes."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged: DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines for people (text) or for machines (json)."
    )

    @model_validator(mode="before")
    @classmethod
    def _strip(cls, values: Any) -> Any:
        """Remove white space and quotation marks around all values; what is empty then counts as not set.

        Files with Windows line ends leave `\r` at the end of a value, and `docker --env-file` leaves quotation marks.
        """
        if not isinstance(values, dict):
            return values
        stripped = {name: _stripped(value) if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @field_validator("guild_ids", "operator_ids", "operator_guild_ids", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        """Read `1, 2`; pydantic-settings would expect JSON."""
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not all(part.isdecimal() for part in parts):
            raise ValueError("write ids as numbers, separated by commas")
        return frozenset(parts)

    @field_validator("chat_models", mode="before")
    @classmethod
    def _json(cls, value: object) -> object:
        """Read JSON; pydantic-settings would raise an error that shows the text, with its keys."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            raise ValueError('write it as JSON: [{"name": "a-model"}, {"name": "another"}]') from None

    @field_validator("chat_models", mode="after")
    @classmethod
    def _distinct(cls, models: tuple[ListedModel, ...]) -> tuple[ListedModel, ...]:
        """Refuse names and labels that do not tell the models apart."""
        pairs = [{model.name.casefold(), (model.label or model.name).casefold()} for model in models]
        names = list(chain.from_iterable(pairs))
        if len(set(names)) < len(names):
            raise ValueError("two models have the same name or label")
        return models

    @field_validator("corpora", mode="before")
    @classmethod
    def _corpora(cls, value: object) -> object:
        """Read `name=folder,…`."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not equals or not folder.strip() for _, equals, folder in pairs):
            raise ValueError("write it as name=folder, separated by commas")
        return {name.strip(): folder.strip() for name, _, folder in pairs}

    @field_validator("discord_api", mode="after")
    @classmethod
    def _discord_api(cls, value: str | None) -> str | None:
        """Remove the path of Discord's API, which is added to each request."""
        return None if value is None else re.sub(r"(/api(/v\d+)?)?/*$", "", value)

    @field_validator("database_url", mode="after")
    @classmethod
    def _database_url(cls, value: str | None) -> str | None:
        """Replace `~` in the path of an SQLite database."""
        scheme, found, path = (value or "").partition(":///")
        return f"{scheme}:///{_with_home(Path(path))}" if found and path.startswith("~") else value

    @field_validator("*", mode="after")
    @classmethod
    def _decodable(cls, value: object) -> object:
        """Refuse bytes that are not UTF-8. Python keeps them as surrogates, which cannot be sent or printed."""
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("it is not in UTF-8") from None
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _with_slots(self) -> Self:
        """Refuse several processes where they cannot share a database, or have no shard each."""
        if self.slots > 1 and not self.shares_database:
            raise ValueError("SLOTS above 1 needs PostgreSQL in DATABASE_URL: SQLite serves one process")
        if self.shards is not None and self.shards < self.slots:
            raise ValueError("SHARDS must be at least SLOTS, so that each process has a shard")
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        """Refuse a model without a server for it."""
        if not self._has_server:
            if self.moderation_model is not None:
                raise ValueError("MODERATION_MODEL also needs OPENAI_API_KEY or OPENAI_BASE_URL")
            if any(model.base_url is None and model.key is None for model in self.chat_models):
                raise ValueError("CHAT_MODELS without base_url also need OPENAI_API_KEY or OPENAI_BASE_URL")
        return self

    @property
    def _has_server(self) -> bool:
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def has_model(self) -> bool:
        """Whether a language model is configured. Without one, the stand-in of the local engine answers."""
        return self._has_server or bool(self.chat_models)

    @property
    def listed_models(self) -> tuple[ListedModel, ...]:
        """CHAT_MODELS with addresses and keys filled in, the one that answers by default first.

        CHAT_MODEL is the default, and belongs to the list in any case. Empty where CHAT_MODELS is not set. A key is
        sent to its own address alone.
        """
        models = list(self.chat_models)
        default = self.chat_model or (models[0].name if models else "")
        if models and all(model.name != default for model in models):
            models.append(ListedModel(name=default))
        models.sort(key=lambda model: model.name != default)
        return tuple(self.with_server(model) for model in models)

    @property
    def default_model(self) -> ListedModel:
        """The chat model that answers where nobody chose one, with its address and its key."""
        models = self.listed_models
        return models[0] if models else self.with_server(ListedModel(name=self.chat_model or DEFAULT_OPENAI_MODEL))

    def with_server(self, model: ListedModel) -> ListedModel:
        """`model` with the address and the key of its server, those of OPENAI_… where it has none of its own."""
        own = self.openai_base_url or OPENAI_URL
        url = model.base_url or own
        key = model.key or (self.openai_api_key if url.rstrip("/") == own.rstrip("/") else None)
        return model.model_copy(update={"base_url": url, "key": key})

    @property
    def shares_database(self) -> bool:
        """Whether the database is on a PostgreSQL server, which several processes may share."""
        return self.database.startswith("postgresql")

    @property
    def models(self) -> Path:
        """The folder of local chat models."""
        return self.models_dir or self.data_dir / "models"

    @property
    def database(self) -> str:
        """The SQLAlchemy address of the database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'fewshot.sqlite3'}"


def load(**overrides: object) -> Settings:
    """Read the settings from the environment and `.env`; `overrides` take precedence.

    Raises a `ConfigError` that names all wrong settings, without their values, which may be secret.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        problems = "; ".join(_problem(issue) for issue in error.errors(include_input=False))
        raise ConfigError("Some settings cannot be used. {problems}. See .env.example.", problems=problems) from None
    except UnicodeDecodeError:
        raise ConfigError("The file .env is not in UTF-8; save it with that encoding.") from None
    except OSError as error:
        raise ConfigError("The file .env cannot be read: {reason}.", reason=os.strerror(error.errno or 0)) from None


def _problem(issue: Any) -> str:
    """One problem that pydantic found, as `NAME: reason`."""
    name, *places = issue["loc"] or ("",)
    name = str(name).upper() + "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in places)
    reason = issue["msg"].removeprefix("Value error, ")
    return f"{name}: {reason}" if name else reason


def _stripped(value: str) -> str:
    value = value.strip().strip("\ufeff\u200b").strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].strip()
    return value
