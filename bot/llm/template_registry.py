"""The shipped templates and the operator's, read at start. A broken file is reported; the other templates work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.core.errors import NotFoundError, TemplateError
from bot.core.i18n import N_, _
from bot.core.json_text import read_json
from bot.llm.template import ChatTemplate, Input

STYLES = "styles.json"
SAME_NAME = N_("The templates {first} and {second} have the same name; rename one of them.")
SAME_COMMAND = N_("The templates {first} and {second} both have the command /{command}; rename one of them.")
# Templates that the bot itself uses. They are not offered as tricks.
NOT_TRICKS = frozenset({"judge", "select", "questions", "support", "tuned", "with_facts"})


@dataclass(frozen=True, slots=True)
class Style:
    """A style to rewrite in: what it is, and a sample text in it."""

    about: str
    sample: str


@dataclass(frozen=True, slots=True)
class TemplateRegistry:
    """Templates, styles and files by name; `problems` are sentences about files that cannot be used."""

    templates: Mapping[str, ChatTemplate]
    styles: Mapping[str, Style]
    problems: Mapping[str, str]
    files: Mapping[str, Path]

    @property
    def tricks(self) -> dict[str, ChatTemplate]:
        """The templates that people use by themselves."""
        return {name: template for name, template in self.templates.items() if name not in NOT_TRICKS}

    def get(self, name: str) -> ChatTemplate:
        """The template called `name`.

        Raises `TemplateError` where its file is broken, `NotFoundError` where there is none.
        """
        if name in self.templates:
            return self.templates[name]
        if name in self.problems:
            raise TemplateError(self.problems[name])
        known = ", ".join(sorted(self.templates))
        raise NotFoundError("There is no template called {name}; there are {known}.", name=name, known=known)

    def with_sample(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """`inputs`, with the sample of the style that they name, where they name a known style and give no sample."""
        style = self.styles.get(inputs.get("style", "").strip().casefold())
        return {**inputs, "sample": style.sample} if style and not inputs.get("sample") else dict(inputs)


def open_template_registry(folder: Path, own: Path | None = None) -> TemplateRegistry:
    """All `*.json` in `folder` (the shipped ones) and in `own` (the operator's).

    A template must describe itself and its inputs. Files of the same name, and commands of the same name, are refused:
    the first file is used. Reads files, so call it in a thread.
    """
    templates, problems, files = dict[str, ChatTemplate](), dict[str, str](), dict[str, Path]()
    commands: dict[str, Path] = {}
    if own is not None and not own.is_dir():
        problems["TEMPLATES_DIR"] = _("TEMPLATES_DIR {folder} is not a folder.", folder=own)
    for path in [*sorted(folder.glob("*.json")), *(sorted(own.glob("*.json")) if own is not None else ())]:
        if path == folder / STYLES:
            continue
        name = path.stem
        try:
            if name in files:
                raise TemplateError(SAME_NAME, first=_shown(files[name]), second=_shown(path))
            template = _described(ChatTemplate.from_file(path), path.name)
            command = template.command and (template.command.name or name)
            if command in commands:
                raise TemplateError(SAME_COMMAND, command=command, first=_shown(commands[command]), second=_shown(path))
        except TemplateError as error:
            problems[name if name not in files else str(path)] = str(error)
            continue
        templates[name], files[name] = template, path
        if command:
            commands[command] = path
    try:
        styles = _styles(folder / STYLES)
    except TemplateError as error:
        styles, problems["styles"] = {}, str(error)
    return TemplateRegistry(templates, styles, problems, files)


def _shown(path: Path) -> str:
    """A file with its folder, as messages name it."""
    return f"{path.parent.name}/{path.name}"


def _described(template: ChatTemplate, file: str) -> ChatTemplate:
    """`template`, if it describes itself and its inputs; the descriptions of its command count."""
    if template.command is not None:
        options = template.command.options.items()
        described = {name: Input(about=option.description) for name, option in options if name not in template.inputs}
        about = template.about or template.command.description
        template = replace(template, about=about, inputs={**template.inputs, **described})
    missing = [name for name in template.placeholders if name not in template.inputs]
    if not template.about:
        # Translators: one of the things that "The template … does not describe …" names.
        missing.insert(0, _("the template itself"))
    if missing:
        raise TemplateError("The template {file} does not describe {missing}.", file=file, missing=", ".join(missing))
    return template


def _styles(path: Path) -> dict[str, Style]:
    """The styles in `path`; raises `TemplateError`."""
    try:
        data = read_json(path.read_text(encoding="utf-8"))
        return {name: Style(item["about"], item["sample"]) for name, item in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TemplateError(
            '{file} cannot be used: every style needs an "about" and a "sample".', file=path.name
        ) from None
