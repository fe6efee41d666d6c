"""`fewshot complete`: fill one template, send it and print the answer."""

import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import click

from bot.app import TEMPLATES, open_model
from bot.cli.running import can_print, load_settings, make_data_dir
from bot.core.errors import FewshotError, InputError, NoModelError
from bot.llm.completion import Answer, ask, limited
from bot.llm.prices import open_prices
from bot.llm.request import Request
from bot.llm.routing import without_unfillable_examples
from bot.llm.template import ChatTemplate
from bot.llm.template_registry import TemplateRegistry, open_template_registry


async def run_complete(name: str, values: Mapping[str, str], *, prompt_only: bool, as_json: bool) -> None:
    """Print the answer, or with `prompt_only` the messages that would be sent. Raises `FewshotError`."""
    settings = load_settings()
    prices = open_prices(settings.prices_file)
    library = open_template_registry(TEMPLATES, settings.templates_dir)
    template = ChatTemplate.from_file(name) if name.endswith(".json") else library.get(name)
    filled = _with_sample(library, values) if "sample" in template.placeholders else values
    request = without_unfillable_examples(template, filled).fill(filled)
    if prompt_only:
        click.echo(_prompt(request, as_json=as_json))
        return
    if not settings.has_model:
        make_data_dir(settings)  # for the local engine
    terminal = TerminalStream() if sys.stdout.isatty() and not as_json else None
    async with open_model(settings) as client:
        try:
            answer = await ask(client, limited(client, request), terminal.show if terminal else None)
            usd = prices.cost(request.parameters.get("model", client.model), answer.usage)
        except NoModelError:
            raise NoModelError(
                "No language model is connected: set OPENAI_API_KEY or OPENAI_BASE_URL. "
                "With --prompt you see what would be sent."
            ) from None
        except FewshotError:
            if terminal and terminal.shown:
                click.echo()  # the sentence about the error begins on a line of its own
            raise
    if terminal:
        terminal.end(answer.text)
    else:
        click.echo(_json(_data(answer, usd)) if as_json else answer.text)


class TerminalStream:
    """Prints an answer while it arrives. `shown` is the text that is printed already."""

    def __init__(self) -> None:
        self.shown = ""

    def show(self, text: str) -> None:
        """Print what is new in the answer so far. White space at its end is printed once words follow."""
        text = text.strip()
        if text.startswith(self.shown):
            click.echo(text[len(self.shown) :], nl=False)
            self.shown = text

    def end(self, text: str) -> None:
        """Print the rest of the whole answer; all of it, if another text than its beginning was shown."""
        if not text.startswith(self.shown):
            click.echo()
            self.shown = ""
        click.echo(text[len(self.shown) :])


def _with_sample(library: TemplateRegistry, values: Mapping[str, str]) -> Mapping[str, str]:
    """`values` with the sample of their style. Raises `InputError` without a sample and without a known style."""
    filled = library.with_sample(values)
    if filled.get("sample"):
        return filled
    names = ", ".join(library.styles)
    if style := filled.get("style"):
        raise InputError(
            "There is no sample of the style “{style}”: add sample=…, or choose from {names}.", style=style, names=names
        )
    raise InputError("In which style? Add style=… ({names}), or sample=… with a text in the wanted style.", names=names)


def _prompt(request: Request, *, as_json: bool) -> str:
    """The request as readable text, or as the JSON body of the API call."""
    if as_json:
        return _json({**request.parameters, "messages": list(request.messages)})
    return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in request.messages)


def _json(data: Mapping[str, Any]) -> str:
    """`data` as JSON. Characters that the console does not have are escaped, so that nothing is lost."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    return text if can_print(text) else json.dumps(data, indent=2)


def _data(answer: Answer, usd: Decimal | None) -> dict[str, Any]:
    """The answer and its price as JSON for scripts."""
    return {
        "text": answer.text,
        "model": answer.model,
        "technique": answer.request.technique,
        "finish": answer.finish,
        "usage": {
            "prompt_tokens": answer.usage.prompt,
            "cached_tokens": answer.usage.cached,
            "completion_tokens": answer.usage.completion,
            "estimated": answer.usage.estimated,
        },
        "usd": None if usd is None else float(usd),
        "seconds": round(answer.seconds, 3),
    }
