"""The command `/compare` and its card: each way has the answer, its tokens, its price and its time."""

import asyncio
import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.model_option import model_choices
from bot.answers.prompt_view import author, figures
from bot.answers.rendering import shown_text
from bot.answers.service import Answering
from bot.core.errors import AnswerStoppedError, FewshotError, InputError, NoModelError, NotFoundError, ReplyError
from bot.core.i18n import _, ngettext
from bot.core.languages import language
from bot.core.text import escape_markdown, excerpt, shorten
from bot.llm.completion import Answer
from bot.llm.request import technique
from bot.llm.template import ChatTemplate
from bot.server.arena import Contestant
from bot.server.chat_models import ChatModel
from bot.server.evaluation import LabelledTestSet, shipped_cases
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.views import MAX_CHOICE_LENGTH, MAX_CHOICES
from cogs.compare.arena import BlindComparisons
from cogs.compare.curve import show_curve

MAX_LENGTH = 6_000
# The shipped tricks that come with labelled inputs, 50 each; a server's trick is tested by /trick test.
WITH_LABELS = frozenset({"sentiment"})
TEST = "test-on-labelled"
# Ways in a comparison: each is a call, and all answers must fit into one card.
MAX_WAYS = 6
# Answers that a vote needs.
MIN_BLIND = 2
# Characters of a button's label (Discord's limit).
MAX_LABEL = 80
# The style for templates that need one.
STYLE = "noir"


@dataclass(frozen=True, slots=True)
class Way:
    """One of the prompts that are compared, with its answer or its error; with both if the answer cannot be parsed.

    `model` is None where the channel's model answers, or the one that the template names.
    """

    name: str
    template: ChatTemplate
    model: str | None = None
    answer: Answer | None = None
    problem: FewshotError | None = None


def _problem_of_all(done: Sequence[Way]) -> FewshotError | None:
    """The error to show where no way has an answer: the first.

    Without a model it is the one of the way with most examples: its prompt is shown, and can be shown with fewer.
    """
    if isinstance(done[0].problem, NoModelError):
        return max(done, key=lambda way: len(way.template.examples)).problem
    return done[0].problem


def _contestant(way: Way, answer: Answer) -> Contestant:
    """A way as it takes part in a blind comparison."""
    name = f"{escape_markdown(way.name)} · {_(technique(len(way.template.examples)))}"
    return Contestant(shown_text(answer), name, " · ".join(figures(answer)), answer.id)


class Compare(commands.Cog):
    """Runs one input with several numbers of examples, and with several models, at the same time."""

    def __init__(self, bot: discord.Client, services: Services) -> None:
        self._services, self._blind = services, BlindComparisons(bot, services)
        services.actions.register(TEST, self.test)

    async def cog_load(self) -> None:
        """Reveal votes in time, also those from before a restart."""
        # In a context of its own: the task belongs to no command.
        self._revealing = contextvars.Context().run(asyncio.create_task, self._blind.run())

    async def cog_unload(self) -> None:
        """Stop revealing votes."""
        self._revealing.cancel()

    @app_commands.command(
        name="compare", description="One text, one trick: with no, one and all its examples, and with several models"
    )
    @app_commands.describe(
        trick="The trick to compare",
        text="The text to try it on",
        models="Models to compare, up to six, separated by commas",
        blind="Hide which answer is whose, and let the channel vote first",
    )
    async def compare(
        self,
        interaction: discord.Interaction[Any],
        trick: app_commands.Range[str, 1, 100],
        text: app_commands.Range[str, 1, MAX_LENGTH],
        models: app_commands.Range[str, 1, MAX_LENGTH] | None = None,
        blind: bool = False,
    ) -> None:
        """Run `trick` on `text` with none, one and all examples, and with a tuned model if there is one.

        With `models`, run it with each of them, and with as many numbers of examples as fit into `MAX_WAYS`.
        """
        name = trick.strip().casefold()
        if not text.strip():
            raise InputError("There is nothing to compare on: the text is empty.")
        chosen = self._models(interaction, models or "")
        if blind and interaction.guild_id is None:
            raise InputError("A blind comparison is a vote, and there is nobody else here. Use it in a server.")
        private = not blind and self._services.guilds.private(interaction.guild_id, "compare")
        async with self._services.answers.open(interaction, private=private) as answering:
            template, values = await self._template(interaction, name, text)
            ways = await self._ways(template, values, chosen)
            names = _("names that are revealed later") if blind else ", ".join(way.name for way in ways)
            asking = ngettext("Asking once, with {ways} …", "Asking {n} times, with {ways} …", len(ways), ways=names)
            answering.reply.show(asking, writing=False)
            answering.start_notices()
            done = await asyncio.gather(*(self._run(answering, way, values) for way in ways))
            if not any(way.answer for way in done) and (problem := _problem_of_all(done)) is not None:
                raise problem
            answers = [way.answer for way in done if way.answer]
            by = self._services.chat_models.default(answering.caller)
            if blind:
                if len(answers) < MIN_BLIND:
                    raise InputError("There are fewer than two answers, so there is nothing to vote on.")
                contestants = [_contestant(way, way.answer) for way in done if way.answer]
                await self._blind.open(answering, name, contestants, answers)
                return
            card = self._card(name, template, done, by)
            await answering.finish_card(card.layout(), answers=answers)

    @compare.autocomplete("trick")
    async def tricks(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """The shipped tricks, the server's own, and the corpora that a model is tuned on."""
        names = [*self._services.templates.tricks, *await self._services.tricks.names(interaction.guild_id)]
        tuning = self._services.tuning
        names += [corpus for corpus in tuning.corpora.names if await tuning.models.active(corpus) is not None]
        found = [name for name in names if typed.strip().casefold() in name][:MAX_CHOICES]
        return [app_commands.Choice(name=name, value=name) for name in found]

    @compare.autocomplete("models")
    async def complete_models(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[str]]:
        """What was typed, with each model that can follow its last comma."""
        *before, last = (part.strip() for part in typed.split(","))
        allowed = self._services.chat_models.allowed(interaction.guild_id)
        left = [model for model in allowed if not {model.name, model.label}.intersection(before)]
        whole = [", ".join([*before, choice.value]) for choice in model_choices(left, last)]
        fitting = [text for text in whole if len(text) <= MAX_CHOICE_LENGTH][:MAX_CHOICES]
        return [app_commands.Choice(name=text, value=text) for text in fitting]

    def _models(self, interaction: discord.Interaction[Any], given: str) -> list[ChatModel]:
        """The models in `given`, each once; raises `InputError` for one that may not be chosen, and for too many."""
        names = [name for name in given.split(",") if name.strip()]
        chosen = dict.fromkeys(self._services.chat_models.choose(interaction.guild_id, name) for name in names)
        if len(chosen) > MAX_WAYS:
            raise InputError("I can compare up to {n} models at once.", n=MAX_WAYS)
        return list(chosen)

    async def test(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Evaluate a shipped trick on its labelled inputs."""
        template = self._services.templates.tricks.get(name)
        cases = await asyncio.to_thread(shipped_cases, name)
        if template is None or not cases:
            raise NotFoundError("There are no labelled inputs for this any more.")
        await show_curve(self._services, interaction, LabelledTestSet(template, cases))

    async def _template(
        self, interaction: discord.Interaction[Any], name: str, text: str
    ) -> tuple[ChatTemplate, Mapping[str, str]]:
        """The trick called `name`, and what to fill it with; raises `NotFoundError`."""
        own = await self._services.tricks.all(interaction.guild_id)
        if name in own:
            return own[name].for_text(text), {own[name].input: text}
        template = self._services.templates.tricks.get(name)
        if template is None and name in self._services.tuning.corpora.names:
            question = await self._services.tuning.models.question(name, text)
            return self._services.templates.get(question.template.name), question.values
        if template is None:
            known = ", ".join([*self._services.templates.tricks, *own])
            raise NotFoundError("I have no such trick to compare; there are {known}.", known=known)
        style = self._services.templates.with_sample({"style": STYLE})
        others = {"to": language(str(interaction.locale)), **style}
        wanted = template.with_examples(0).placeholders
        if not wanted:
            raise InputError("The trick {name} takes no text, so there is nothing to compare.", name=name)
        main = wanted[-1]
        values = dict.fromkeys(template.placeholders, text) | template.defaults | others | {main: text}
        return template, {key: values[key] for key in template.placeholders}

    async def _ways(self, template: ChatTemplate, values: Mapping[str, str], models: Sequence[ChatModel]) -> list[Way]:
        """No, one and all examples, without duplicates, with each of `models`; without any, also the tuned model.

        With more models than fit with all numbers, one example is left out, and then none.
        """
        count_all = len(template.examples)
        counts = sorted({0, min(1, count_all), count_all})
        if len(counts) * len(models) > MAX_WAYS:
            counts = sorted({0, count_all}) if 2 * len(models) <= MAX_WAYS else [count_all]
        names = {0: _("no example"), 1: _("one example")}
        names |= {count: ngettext("all {n} example", "all {n} examples", count) for count in counts if count > 1}
        ways = [Way(names[count], template.with_examples(count)) for count in counts]
        if models:
            return [
                replace(way, name=f"{model.shown} · {way.name}", model=model.name) for model in models for way in ways
            ]
        tuned = await self._services.answers.find_tuned(template.fill(values))
        return ways if tuned is None else [*ways, Way(_("the tuned model"), tuned)]

    async def _run(self, answering: Answering, way: Way, values: Mapping[str, str]) -> Way:
        """`way` with its answer, or with the error."""
        try:
            gateway = await self._services.tuning.models.gateway_for(way.template)
            request = way.template.fill(values).with_model(way.model)
            return replace(way, answer=await answering.ask(request, gateway=gateway, show=False))
        except FewshotError as error:
            arrived = error.answer if isinstance(error, ReplyError | AnswerStoppedError) else None
            answer = arrived if isinstance(arrived, Answer) and arrived.text else None
            return replace(way, answer=answer, problem=error)

    def _card(self, name: str, template: ChatTemplate, ways: Sequence[Way], default: ChatModel) -> Card:
        """A block for each way: its name, the answer, and what it took; then a button for each prompt."""
        card = Card(_("{trick}, compared", trick=name))
        share = 3_000 // len(ways)
        prompts: list[discord.ui.Item[Any]] = []
        for way in ways:
            head = f"**{escape_markdown(way.name)}** · {_(technique(len(way.template.examples)))}"
            if way.problem is not None:
                head += f"\n{way.problem}"
            if way.answer is None:
                card.text(head).line()
                continue
            shown = excerpt(shown_text(way.answer), share)
            by, *took = figures(way.answer)
            took = took if way.model or way.answer.shown_model == default.shown else [by, *took]
            card.text(f"{head}\n{shown}\n-# {' · '.join(took)}").line()
            label = shorten(_("Prompt: {way}", way=way.name), MAX_LABEL)
            prompts.append(ActionButton("prompt", way.answer.id, label=label, emoji="🔍"))
        if not ways[0].model:
            card.text(f"-# {author(default.shown)}")
        if len(ways) == 1:
            card.text(_("-# This trick has no examples, so there is one way to ask it."))
        card.rows(prompts)
        if template.name in WITH_LABELS:
            test = ActionButton(TEST, template.name, label=_("Test on 50"), emoji="📈")
            calls = 50 * len(LabelledTestSet(template, ()).shot_counts)
            card.row(test).text(_("-# The test asks {n} times, and counts against your tokens of today.", n=calls))
        return card
