"""Replies as text: stars, lists, fenced JSON; prices and progress bars."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from bot.core.i18n import _, format_number, pgettext
from bot.core.text import code_block, escape_markdown, shorten
from bot.llm.completion import Answer
from bot.llm.output_parsers import Facts, Rating

STAR, NO_STAR = "★", "☆"
# US dollars. A lower price is shown as less than this.
MIN_USD = Decimal("0.0000001")
# Characters shown of an input and of its answer, so that twenty examples of a trick fit into one card.
SIDE = 70
# Characters of a progress bar. With its two numbers it fits into one line of a phone.
BAR = 12


def shown_text(answer: Answer) -> str:
    """The text of an answer as its `display` says, without footer."""
    display = answer.display
    text = _FORMS[display.form](answer)
    return "\n".join(filter(None, (display.heading, display.problem, text)))


def _reply(answer: Answer) -> str:
    """Stars for a rating, a list for facts, a code block for JSON, the text itself for text."""
    reply, text = answer.reply, answer.text
    if isinstance(reply, Rating):
        return f"{stars(reply.stars)} **{reply.stars}/5**\n{reply.reason}"
    if isinstance(reply, Facts):
        facts = (f"- {escape_markdown(fact)}" for fact in reply.facts)
        return "\n".join([f"**{escape_markdown(reply.entity)}**", *facts])
    if isinstance(reply, dict):
        return code_block(text, "json")
    return reply


def _raw(answer: Answer) -> str:
    """The reply as the model wrote it: the XML of facts, the text of other replies."""
    if isinstance(answer.reply, Facts):
        return code_block(answer.reply.xml, "xml")
    return answer.text if isinstance(answer.reply, str) else code_block(answer.text)


# By `Display.form`.
_FORMS: Mapping[str, Callable[[Answer], str]] = {
    "": _reply,
    "raw": _raw,
    "plain": lambda answer: escape_markdown(answer.text),
    "hidden": lambda _answer: "",
}


def stars(count: int) -> str:
    """Five stars, `count` of them filled."""
    return STAR * count + NO_STAR * (5 - count)


def pair_line(given: str, wanted: str) -> str:
    """An input and its answer in one line, shortened."""
    return " → ".join(escape_markdown(shorten(text, SIDE)) for text in (given, wanted))


def bar(done: int, total: int) -> str:
    """A progress bar in text."""
    filled = BAR * done // max(total, 1)
    return f"{'▰' * filled}{'▱' * (BAR - filled)} {format_number(done)}/{format_number(total)}"


def price(usd: Decimal | None) -> str:
    """A price for people; None is not known."""
    if usd is None:
        return _("price not known")
    return dollars(usd) if usd else pgettext("price", "free")


def dollars(usd: Decimal) -> str:
    """US dollars to the cent; an amount below one dollar with two significant digits, because a call costs little."""
    if 0 < usd < MIN_USD:
        return _("less than ${usd:,.7f}", usd=MIN_USD)
    # `adjusted` is the place of the first digit: -1 for tenths, -5 for 0.000012.
    digits = max(2, 1 - usd.adjusted()) if usd else 2
    return _("${usd:,.{digits}f}", usd=usd, digits=digits)
