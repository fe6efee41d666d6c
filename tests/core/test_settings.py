"""Settings are one typed object; `.env.example` lists them all, and what is wrong is named without its value."""

import re
from pathlib import Path

import pytest

from bot.core.errors import ConfigError
from bot.core.settings import OPENAI_URL, Settings, load

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
ENTRY = re.compile(r"^# (?P<about>[^\n]+)\n# (?P<name>[A-Z_]+)=(?P<default>.*)$", re.MULTILINE)
SECRET = "sk-hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any of our settings, in a folder without .env."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


def test_the_example_lists_every_setting_with_its_own_description() -> None:
    entries = {entry["name"]: entry["about"] for entry in ENTRY.finditer(EXAMPLE.read_text(encoding="utf-8"))}
    assert entries == {name.upper(): field.description for name, field in Settings.model_fields.items()}


def test_the_example_loads_as_it_stands_and_with_every_default_switched_on(tmp_path: Path) -> None:
    switched_on = tmp_path / "example.env"
    text = EXAMPLE.read_text(encoding="utf-8")
    switched_on.write_text(re.sub(r"^# (?=[A-Z_]+=)", "", text, flags=re.MULTILINE), encoding="utf-8")
    assert load(_env_file=EXAMPLE) == load(_env_file=switched_on) == load()


def test_every_default_stands_in_the_example() -> None:
    defaults = {entry["name"]: entry["default"] for entry in ENTRY.finditer(EXAMPLE.read_text(encoding="utf-8"))}
    settings = load()
    for name, value in settings:
        if value or isinstance(value, bool):
            assert defaults[name.upper()], f"{name} has a default that the example leaves out"


def test_secrets_never_show() -> None:
    settings = load(discord_token=SECRET, openai_api_key=SECRET, tuning_api_key=SECRET)
    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump())


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("CHAT_MODEL=from-file\nCHAT_CONCURRENCY=3\n", encoding="utf-8")
    monkeypatch.setenv("CHAT_MODEL", "from-environment")
    assert (load().chat_model, load().chat_concurrency) == ("from-environment", 3)


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILD_IDS", "1, 2,,3 ")
    monkeypatch.setenv("CORPORA", "league=./texts, other = /srv/other")
    settings = load()
    assert settings.guild_ids == {1, 2, 3}
    assert settings.corpora == {"league": Path("texts"), "other": Path("/srv/other")}


def test_empty_and_blank_values_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GUILD_IDS", "HEALTH_PORT", "CORPORA"):
        monkeypatch.setenv(name, "")
    assert load() == Settings()
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    assert not load().has_model


def test_a_key_is_taken_without_the_space_that_was_copied_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {SECRET}\n")
    key = load().openai_api_key
    assert key is not None
    assert key.get_secret_value() == SECRET


WRONG = {
    "DISCORD_TOKEN": f"{SECRET}…",
    "OPENAI_API_KEY": f"{SECRET}\nhunter2",
    "TUNING_API_KEY": f"{SECRET}ä",
    "OPENAI_BASE_URL": "hunter2.example/v1",
    "DISCORD_API": "http://ann:hunter2@localhost",
    "TUNING_BASE_URL": "http://[hunter2/v1",
    "CHAT_CONCURRENCY": "hunter2",
    "CHAT_MODELS": '[{"name": "m", "key": "hunter2ä"}]',
    "TUNING_PROVIDER": "hunter2",
    "GUILD_IDS": "1,hunter2",
    "CORPORA": "hunter2",
    "RETENTION_DAYS": "31",
    "MONTHLY_USD": "0",
    "DAILY_TOKENS": "-1",
    "HEALTH_PORT": "70000",
    "MESSAGE_CONTENT": "hunter2",
    "LOG_LEVEL": "hunter2",
    "LOG_FORMAT": "hunter2",
}


def test_all_wrong_settings_are_named_at_once_and_none_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load()
    sentence = str(caught.value)
    assert [name for name in WRONG if name not in sentence] == []
    assert "hunter2" not in sentence
    assert "\n" not in sentence
    assert ".env.example" in sentence
    assert "GUILD_IDS: write ids as numbers, separated by commas" in sentence


@pytest.mark.parametrize(
    "value", ["http://localhost:port/v1", "http://:80/v1", "ftp://host/v1", "localhost:11434", "http://h:0/"]
)
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        load()


@pytest.mark.parametrize("value", ["http://127.0.0.1:11434/v1", "https://models.example/v1", "http://[::1]:8000/v1"])
def test_an_address_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    assert load().openai_base_url == value


def test_a_file_in_another_encoding_is_one_sentence() -> None:
    Path(".env").write_bytes("CHAT_MODEL=käse".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load()


def test_limits_have_defaults_that_are_not_zero() -> None:
    settings = load()
    limits = (settings.daily_tokens_per_user, settings.daily_tokens_per_guild, settings.daily_tokens)
    assert 0 < limits[0] <= limits[1] <= limits[2]
    assert settings.monthly_usd > 0


# A value for every setting, as `.env` would have it.
VALUES = {
    "DISCORD_TOKEN": SECRET,
    "DISCORD_API": "http://127.0.0.1:8080",
    "GUILD_IDS": "1,2",
    "OPERATOR_IDS": "3",
    "OPERATOR_GUILD_IDS": "4",
    "OPENAI_API_KEY": SECRET,
    "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1",
    "CHAT_MODEL": "m",
    "CHAT_MODELS": '[{"name": "m"}]',
    "CHAT_CONCURRENCY": "8",
    "MODEL_TIMEOUT": "90",
    "TUNING_PROVIDER": "custom",
    "TUNING_BASE_URL": "http://127.0.0.1:1/v1",
    "TUNING_API_KEY": SECRET,
    "TUNING_MODEL": "base",
    "DATABASE_URL": "sqlite+aiosqlite:///kept.sqlite3",
    "SHARDS": "2",
    "DATA_DIR": "/srv/kept",
    "CORPORA": "league=/srv/texts",
    "TEMPLATES_DIR": "/srv/templates",
    "MESSAGE_CONTENT": "true",
    "USER_INSTALL": "on",
    "MODERATION_MODEL": "omni",
    "PRIVACY_URL": "https://bot.example/privacy",
    "TERMS_URL": "https://bot.example/terms",
    "RAY_ADDRESS": "http://127.0.0.1:8265",
    "SERVING_URL": "http://127.0.0.1:8000",
    "HEALTH_PORT": "8081",
    "LOG_LEVEL": "debug",
    "LOG_FORMAT": "json",
}
# What shells, editors, spreadsheets and `docker --env-file` leave around a value.
AROUND = ["{}\r", "{}\r\n", " {} ", "\t{}\t", "{}\u00a0", "\ufeff{}", "\u3000{}\u2028", '"{}"', "'{}'", ' "{} "\r']


def values() -> dict[str, str]:
    """A value for every setting; the numbers that are not in the table are their defaults."""
    numbers = {name.upper(): str(field.default) for name, field in Settings.model_fields.items()}
    return {name: VALUES.get(name, numbers[name]) for name in numbers}


@pytest.mark.parametrize("around", AROUND)
def test_white_space_and_quotation_marks_around_any_value_are_dropped(
    monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    for name, value in values().items():
        monkeypatch.setenv(name, value)
    plain = load()
    for name, value in values().items():
        monkeypatch.setenv(name, around.format(value))
    assert load() == plain
    assert plain.chat_model == "m"


def test_a_file_with_windows_line_ends_and_a_byte_order_mark_is_read() -> None:
    lines = [f"{name}={value}" for name, value in values().items()]
    Path(".env").write_bytes("\n".join(lines).encode())
    plain = load()
    Path(".env").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    assert load() == plain
    assert plain.guild_ids == {1, 2}


def test_every_folder_knows_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Path(".env").write_text(
        "DATA_DIR=~/kept\nCORPORA=a=~/texts, b=~\nDATABASE_URL=sqlite+aiosqlite:///~/db.sqlite3\n", encoding="utf-8"
    )
    settings = load()
    assert settings.data_dir == tmp_path / "kept"
    assert settings.corpora == {"a": tmp_path / "texts", "b": tmp_path}
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/db.sqlite3"
    folders = [name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)]
    for name in folders:
        if name != "corpora":
            assert getattr(load(**{name: "~/x"}), name) == tmp_path / "x", name


@pytest.mark.parametrize("value", ["~nobody-of-that-name/x", "~nobody-of-that-name"])
def test_a_home_folder_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DATA_DIR", value)
    with pytest.raises(ConfigError, match="DATA_DIR: its ~ names a home folder that does not exist"):
        load()


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "TUNING_BASE_URL"])
@pytest.mark.parametrize("user", ["user:hunter2@", "hunter2@", ":hunter2@", "us%40er:hunter2@"])
def test_a_password_in_an_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, user: str
) -> None:
    monkeypatch.setenv(name, f"http://{user}127.0.0.1:11434/v1")
    with pytest.raises(ConfigError) as caught:
        load()
    assert f"{name}: it must not contain a user name or password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["http://a\r\nb/v1", "http://a/v1\tx", "http://a/v 1", "http://a/\x00v1"])
def test_an_address_with_white_space_inside_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL: it is not an address"):
        load(openai_base_url=value)


def test_bytes_that_are_not_utf_8_name_their_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MODEL", "caf\udce9")
    with pytest.raises(ConfigError, match="CHAT_MODEL: it is not in UTF-8"):
        load()


def test_settings_that_need_each_other_are_named() -> None:
    with pytest.raises(ConfigError, match=r"cannot be used\. MODERATION_MODEL also needs OPENAI_API_KEY"):
        load(moderation_model="omni")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"slots": 2, "shards": 2}, "SLOTS above 1 needs PostgreSQL in DATABASE_URL: SQLite serves one process"),
        ({"slots": 3, "shards": 2, "database_url": "postgresql+asyncpg://h/d"}, "SHARDS must be at least SLOTS"),
    ],
)
def test_several_processes_need_postgresql_and_a_shard_each(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(**given)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a, b", "CHAT_MODELS: write it as JSON"),
        ("{}", "CHAT_MODELS: Input should be a valid tuple"),
        ('[{"label": "A"}]', "CHAT_MODELS[0].name: Field required"),
        ('[{"name": "a", "base_url": "hunter2"}]', "CHAT_MODELS[0].base_url: it is not an address"),
        ('[{"name": "a"}, {"name": "b", "key": "hunter2ä"}]', "CHAT_MODELS[1].key: it contains characters"),
        ('[{"name": "a"}, {"name": "b", "label": "A"}]', "CHAT_MODELS: two models have the same name or label"),
        ('[{"name": "a"}]', "CHAT_MODELS without base_url also need OPENAI_API_KEY or OPENAI_BASE_URL"),
    ],
)
def test_a_list_of_models_that_cannot_be_used_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("CHAT_MODELS", value)
    with pytest.raises(ConfigError) as refusal:
        load()
    assert said in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_key_goes_to_its_own_address_alone_and_the_default_model_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    there = "http://127.0.0.1:11434/v1"
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("CHAT_MODEL", "c")
    monkeypatch.setenv("CHAT_MODELS", f'[{{"name": "a"}}, {{"name": "b", "base_url": "{there}"}}]')
    settings = load()
    keys = [
        (model.name, model.base_url, model.key and model.key.get_secret_value()) for model in settings.listed_models
    ]
    assert keys == [("c", OPENAI_URL, SECRET), ("a", OPENAI_URL, SECRET), ("b", there, None)]
    assert SECRET not in repr(settings.listed_models)
