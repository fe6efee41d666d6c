"""Slash commands and message menus made from templates with a `command` section (see `bot.llm.command`)."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import discord
from discord import app_commands

from bot.answers.model_option import MODEL, MODEL_ABOUT, ModelOption
from bot.answers.service import Answers
from bot.core.errors import InputError, TemplateError
from bot.core.i18n import N_, _
from bot.core.languages import language, suggestions
from bot.llm.command import MAX_CHARACTERS, PRIVATE, RAW, Command, CommandOption
from bot.llm.completion import Display
from bot.llm.template import ChatTemplate, must_be_given, needs_value
from bot.llm.template_registry import TemplateRegistry
from bot.server.guilds import GuildSettingsStore
from bot.ui.caller import source_message_of
from bot.ui.message_text import readable_text
from bot.ui.uploads import AttachmentReader, readable
from bot.ui.views import MAX_CHOICE_LENGTH, MAX_CHOICES

EMPTY = N_("The option {name} is empty; say something in it.")
# The text of a message that has only a picture.
IN_PICTURE_PROMPT = "(The text is in the picture.)"
EMPTY_MESSAGE = N_("This message has no text that I can read.")
TAKEN = N_("The template {file} cannot have the command /{command}: the bot already has one of that name.")
TAKEN_MENU = N_("The template {file} cannot have the menu {menu}: the bot already has one of that name.")
TOO_MANY = N_("The template {file} cannot have a command: Discord allows no more of them.")
UNKNOWN_SOURCE = N_("The template {file} cannot be used: there are no suggestions called {source}.")

Options = Mapping[str, Any]
# Returns the values of a template's inputs for the options of its command; None if it has answered already.
Prepare = Callable[[discord.Interaction[Any], Options, bool], Awaitable[Mapping[str, str] | None]]
# Returns the autocomplete choices for what was typed.
Source = Callable[[discord.Interaction[Any], str], Awaitable[Sequence[app_commands.Choice[str]]]]


@dataclass(frozen=True, slots=True)
class Extension:
    """What a cog adds to the command of a template.

    `options` are further options: name to type and description. `prepare` gets all options, and whether the answer is
    private.
    """

    prepare: Prepare
    options: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


class Techniques:
    """Registers the commands of templates. The process has one instance."""

    def __init__(
        self,
        templates: TemplateRegistry,
        answers: Answers,
        guilds: GuildSettingsStore,
        attachments: AttachmentReader,
    ) -> None:
        self.templates, self.answers, self.guilds, self.attachments = templates, answers, guilds, attachments
        self._extensions: dict[str, Extension] = {}
        self._sources: dict[str, Source] = {"languages": _languages, "styles": self._styles}

    def extend(self, name: str, extension: Extension) -> None:
        """Let a cog add to the command of the template `name`, before `register`."""
        self._extensions[name] = extension

    def register(self, tree: app_commands.CommandTree[Any]) -> list[str]:
        """Add all commands and menus to `tree`; returns a sentence for each that could not be added."""
        problems = []
        for name, template in self.templates.templates.items():
            if template.command is not None:
                try:
                    self._add(tree, name, template, template.command)
                except TemplateError as error:
                    problems.append(str(error))
        return problems

    def _add(self, tree: app_commands.CommandTree[Any], name: str, template: ChatTemplate, command: Command) -> None:
        file = str(self.templates.files[name].name)
        technique = Technique(self, template, command, self._extensions.get(name))
        if tree.get_command(technique.name) is not None:
            raise TemplateError(TAKEN, file=file, command=technique.name)
        menu = technique.menu()
        if menu is not None and tree.get_command(menu.name, type=discord.AppCommandType.message) is not None:
            raise TemplateError(TAKEN_MENU, file=file, menu=menu.name)
        for option in command.options.values():
            if isinstance(option.autocomplete, str) and option.autocomplete not in self._sources:
                raise TemplateError(UNKNOWN_SOURCE, file=file, source=option.autocomplete)
        try:
            tree.add_command(technique.slash(self._sources))
            if menu is not None:
                tree.add_command(menu)
        except app_commands.CommandLimitReached:
            raise TemplateError(TOO_MANY, file=file) from None
        self.guilds.private_by_default.setdefault(technique.name, command.private.default)

    async def _styles(self, _interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Autocomplete: the styles that have a sample."""
        typed = typed.strip().casefold()
        return [
            app_commands.Choice(name=f"{name} – {_(style.about)}"[:MAX_CHOICE_LENGTH], value=name)
            for name, style in self.templates.styles.items()
            if typed in name or typed in _(style.about).casefold()
        ]


class Technique:
    """One template as a command."""

    def __init__(
        self, techniques: Techniques, template: ChatTemplate, command: Command, extension: Extension | None
    ) -> None:
        self._answers, self._guilds, self._attachments = techniques.answers, techniques.guilds, techniques.attachments
        self._template, self._command, self._extension = template, command, extension
        self.name = command.name or template.name
        self._installs = app_commands.AppInstallationType(guild=True, user=command.user_install)

    def slash(self, sources: Mapping[str, Source]) -> app_commands.Command[Any, ..., None]:
        """The slash command."""
        extension, answers, template = self._extension, self._answers, self._template

        async def run(interaction: discord.Interaction[Any], **options: Any) -> None:
            private = self._guilds.private(interaction.guild_id, self.name, options.get(PRIVATE))
            given = await extension.prepare(interaction, options, private) if extension is not None else options
            if given is None:
                return
            request = template.fill(self._values(interaction, given)).with_model(options.get(MODEL))
            display = Display(form="raw") if options.get(RAW) else None
            await answers.respond(interaction, request, private=private, display=display)

        descriptions, parameters = self._parameters()
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by discord.py
            [inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters]
        )
        callback: Any = app_commands.describe(**descriptions)(run)
        slash: app_commands.Command[Any, ..., None] = app_commands.Command(
            name=self.name,
            description=self._command.description,
            callback=callback,
            allowed_installs=self._installs,
        )
        for name, option in self._command.options.items():
            if option.autocomplete is not None:
                slash.autocomplete(name)(_autocomplete(option.autocomplete, sources))
        return slash

    def menu(self) -> app_commands.ContextMenu | None:
        """The message menu, whose answers are private; None if the template has no menu."""
        menu = self._command.menu
        if menu is None:
            return None

        async def run(interaction: discord.Interaction[Any], message: discord.Message) -> None:
            if not readable_text(message) and not readable(message):
                raise InputError(menu.empty or EMPTY_MESSAGE)
            self._guilds.allow_menu(interaction.guild_id, interaction.user.id, message.author.id)
            async with self._answers.open(interaction, private=True, source=source_message_of(message)) as answering:
                read = await self._attachments.read_message(
                    message, interaction.user.id, max_characters=self._longest(menu.input)
                )
                values = self._values(interaction, {menu.input: read.text or IN_PICTURE_PROMPT})
                answer = await answering.ask(self._template.fill(values).with_pictures(read.pictures))
                await answering.finish(replace(answer, display=Display(note=" · ".join(read.notes))))

        return app_commands.ContextMenu(name=menu.name, callback=run, allowed_installs=self._installs)

    def _parameters(self) -> tuple[dict[str, str], list[inspect.Parameter]]:
        """The descriptions of the options, and the options as discord.py reads them."""
        options: dict[str, tuple[Any, str, bool]] = {
            name: (app_commands.Range[str, 1, self._longest(name)], option.description, self._is_required(name, option))
            for name, option in self._command.options.items()
        }
        for name, (kind, description) in (self._extension.options if self._extension else {}).items():
            options[name] = kind, description, False
        if MODEL not in {*options, *self._template.parameters}:
            options[MODEL] = ModelOption, MODEL_ABOUT, False
        if self._command.raw:
            options[RAW] = bool, self._command.raw, False
        if self._command.private.description:
            options[PRIVATE] = bool, self._command.private.description, False
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if required else None,
                annotation=kind if required else kind | None,
            )
            for name, (kind, _description, required) in options.items()
        ]
        return {name: description for name, (_kind, description, _required) in options.items()}, parameters

    def _values(self, interaction: discord.Interaction[Any], options: Options) -> dict[str, str]:
        """The values of the inputs; raises `InputError` for one that is missing or blank."""
        values = {}
        for name, option in self._command.options.items():
            given = options.get(name) or ""
            if given.strip():
                values[name] = given
            elif option.autocomplete == "languages":
                values[name] = language(str(interaction.locale))
            elif needs_value(self._template.inputs, name):
                raise InputError(option.empty or EMPTY, name=name)
        return values

    def _longest(self, name: str) -> int:
        item = self._template.inputs.get(name)
        return min((item.max if item else None) or MAX_CHARACTERS, MAX_CHARACTERS)

    def _is_required(self, name: str, option: CommandOption) -> bool:
        return must_be_given(self._template.inputs, name, option) if option.required is None else option.required


def _autocomplete(wanted: str | tuple[str, ...], sources: Mapping[str, Source]) -> Any:
    async def complete(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        if isinstance(wanted, str):
            return list(await sources[wanted](interaction, typed))[:MAX_CHOICES]
        found = [text for text in wanted if typed.strip().casefold() in f"{text}\n{_(text)}".casefold()]
        return [app_commands.Choice(name=_(text)[:MAX_CHOICE_LENGTH], value=text) for text in found[:MAX_CHOICES]]

    return complete


async def _languages(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    """Autocomplete: languages by any of their names."""
    names = await asyncio.to_thread(suggestions, typed, str(interaction.locale))
    return [app_commands.Choice(name=name, value=name) for name in names]
