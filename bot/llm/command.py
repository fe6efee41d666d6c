"""The `command` section of a template: the slash command that the bot registers for it.

"command": {
  "description": "Translate a text into another language",
  "options": {"text": {"description": "What to translate"}},
  "private": {"default": true, "description": "Show the translation to you alone, or to all"}
}
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# Discord's limits (2026-11-22): characters of a description, of a command's name, of a menu's name, and of a text
# option; options of a command.
Description = Annotated[str, Field(min_length=1, max_length=100)]
CommandName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
MenuName = Annotated[str, Field(min_length=1, max_length=32)]
MAX_CHARACTERS, MAX_OPTIONS = 6_000, 25
# Names of options that the bot adds itself.
RAW, PRIVATE = "raw", "private"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CommandOption(_Section):
    """An input of the template as an option of the command.

    `required` defaults to whether the input has no default. `autocomplete` is a list of suggestions, or the name of a
    source of them; with "languages", the default of the option is the person's language in Discord.
    `empty` is the sentence for a missing or blank value.
    """

    description: Description
    required: bool | None = None
    autocomplete: str | Annotated[tuple[Description, ...], Field(min_length=1)] | None = None
    empty: str = ""


class CommandPrivacy(_Section):
    """Whether only the asker sees the answers by default. With a `description` there is an option `private`."""

    default: bool = True
    description: Annotated[str, Field(max_length=100)] = ""


class CommandMenu(_Section):
    """A message menu that fills `input` with the text of a message; `empty` is the sentence for one without text."""

    name: MenuName
    input: str
    empty: str = ""


class Command(_Section):
    """A slash command. `name` defaults to the name of the file.

    `raw` is the description of an option `raw`, which shows a parsed reply as the model wrote it. `user_install` lets
    people use the command where the bot is not a member, if the operator allows that.
    """

    name: CommandName | Literal[""] = ""
    description: Description
    options: Annotated[dict[CommandName, CommandOption], Field(min_length=1, max_length=MAX_OPTIONS - 2)]
    private: CommandPrivacy = CommandPrivacy()
    raw: Annotated[str, Field(max_length=100)] = ""
    menu: CommandMenu | None = None
    user_install: bool = False
