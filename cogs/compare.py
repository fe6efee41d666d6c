"""`/compare`: a trick with none, one and all of its examples, side by side: answers, tokens, price, time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.prompt_view import author, figures
from bot.answers.rendering import page_of
from bot.core.errors import FewshotError, InputError, NoModelError, NotFoundError
from bot.core.i18n import _, ngettext
from bot.core.languages import language
from bot.core.text import close_markup
from bot.llm.completion import Answer
from bot.llm.request import technique
from bot.llm.template import ChatTemplate
from bot.server.evaluation import Shipped, labelled
from bot.services import Services, services_of
from bot.ui.actions import ActionButton
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from bot.ui.reply import Reply
from cogs._curve import show_curve

LONGEST = 6_000
CHOICES = 25
# The shipped tricks that come with labelled inputs, 50 each; a server's trick is tested by /trick test.
WITH_LABELS = frozenset({"sentiment"})
TEST = "test-on-labelled"
# The style that stands in where a trick wants one and only a text was given.
STYLE = "noir"


@dataclass(frozen=True, slots=True)
class Rung:
    """One of the prompts that are compared, and what came of it: an answer, or the error why there is none."""

    name: str
    template: ChatTemplate
    answer: Answer | None = None
    problem: FewshotError | None = None


class Compare(commands.Cog):
    """The same input on every rung at once."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def cog_load(self) -> None:
        """Serve the button that tests on labelled inputs."""
        self._services.actions.register(TEST, self.test)

    async def cog_unload(self) -> None:
        """Serve it no longer."""
        self._services.actions.unregister(TEST)

    @app_commands.command(name="compare", description="One text, the same trick with no, one and all its examples")
    @app_commands.describe(trick="The trick to compare", text="The text to try it on")
    async def compare(
        self,
        interaction: discord.Interaction[Any],
        trick: app_commands.Range[str, 1, 100],
        text: app_commands.Range[str, 1, LONGEST],
    ) -> None:
        """Run `trick` on `text` with none, one and all examples, and tuned where there is such a model."""
        if not text.strip():
            raise InputError("There is nothing to compare on: the text is empty.")
        with self._services.inflight.track(interaction):
            private = self._services.guilds.private(interaction.guild_id, "compare")
            async with Reply(interaction, private=private) as reply:
                template, values = await self._template(interaction, trick, text)
                rungs = self._rungs(template)
                ways = ", ".join(rung.name for rung in rungs)
                asking = ngettext(
                    "Asking once, with {ways} …", "Asking {n} times, with {ways} …", len(rungs), ways=ways
                )
                reply.show(asking, writing=False)
                try:
                    done = await asyncio.gather(*(self._run(interaction, rung, values) for rung in rungs))
                except NoModelError as error:
                    await self._services.answers.show_prompt_instead(reply, interaction, error)
                    return
                if not any(rung.answer for rung in done) and done[0].problem is not None:
                    raise done[0].problem
                message = await reply.finish_card(self._card(template, done).layout())
                prompts = (rung.answer for rung in done if rung.answer)
                await self._services.answers.keep(message, *prompts, private=private)

    @compare.autocomplete("trick")
    async def tricks(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """The shipped tricks and the server's own."""
        names = [*self._services.templates.tricks, *await self._services.tricks.names(interaction.guild_id)]
        return [app_commands.Choice(name=name, value=name) for name in names if typed.strip().casefold() in name][
            :CHOICES
        ]

    async def test(self, interaction: discord.Interaction[Any], name: str, _chosen: list[str]) -> None:
        """Measure a shipped trick on the labelled inputs that come with it."""
        template = self._services.templates.tricks.get(name)
        cases = await asyncio.to_thread(labelled, name)
        if template is None or not cases:
            raise NotFoundError("There are no labelled inputs for this any more.")
        course = Shipped(template, cases)
        await show_curve(self._services, interaction, name, course, _("right"), private=True)

    async def _template(
        self, interaction: discord.Interaction[Any], name: str, text: str
    ) -> tuple[ChatTemplate, Mapping[str, str]]:
        """The trick called `name`, and what to fill it with; raises `NotFoundError`."""
        name = name.strip().casefold()
        own = await self._services.tricks.all(interaction.guild_id)
        if name in own:
            return own[name].for_text(text), {own[name].input: text}
        template = self._services.templates.tricks.get(name)
        if template is None:
            known = ", ".join([*self._services.templates.tricks, *own])
            raise NotFoundError("I have no such trick to compare; there are {known}.", known=known)
        style = self._services.templates.with_sample({"style": STYLE})
        others = {"to": language(str(interaction.locale)), **style}
        wanted = template.with_examples(0).placeholders
        if not wanted:
            raise InputError("The trick {name} takes no text, so there is nothing to compare.", name=name)
        main = wanted[-1]
        return template, {key: others.get(key, text) if key != main else text for key in template.placeholders}

    def _rungs(self, template: ChatTemplate) -> list[Rung]:
        """None, one and all, as far as they differ; and tuned."""
        most = len(template.examples)
        names = {0: _("no example"), 1: _("one example")}
        rungs = [
            Rung(
                names.get(count) or ngettext("all {n} example", "all {n} examples", count),
                template.with_examples(count),
            )
            for count in sorted({0, min(1, most), most})
        ]
        tuned = self._services.gateway.tuned.get(template.name)
        if tuned:
            bare = template.with_examples(0)
            rungs.append(Rung(_("the tuned model"), replace(bare, parameters={**bare.parameters, "model": tuned})))
        return rungs

    async def _run(self, interaction: discord.Interaction[Any], rung: Rung, values: Mapping[str, str]) -> Rung:
        """`rung` with what came of it."""
        try:
            answer = await self._services.gateway.ask(caller_of(interaction), rung.template.fill(values))
            return replace(rung, answer=answer)
        except NoModelError:
            raise
        except FewshotError as error:
            return replace(rung, problem=error)

    def _card(self, template: ChatTemplate, rungs: Sequence[Rung]) -> Card:
        """A block for each rung: how, what it took, what it said; then a button for each prompt."""
        card = Card(_("{trick}, compared", trick=template.name))
        share = 3_000 // len(rungs)
        prompts: list[discord.ui.Item[Any]] = []
        for rung in rungs:
            head = f"**{rung.name}** · {_(technique(len(rung.template.examples)))}"
            if rung.answer is None:
                card.text(f"{head}\n{rung.problem or ''}").line()
                continue
            text = page_of(rung.answer).text
            shown = text if len(text) <= share else close_markup(text[:share].rstrip()) + " …"
            card.text(f"{head}\n{shown}\n-# {' · '.join(figures(rung.answer)[1:])}").line()
            prompts.append(ActionButton("prompt", rung.answer.id, label=_("Prompt: {way}", way=rung.name), emoji="🔍"))
        card.text(f"-# {author(self._services.gateway.model)}")
        if len(template.examples) == 0:
            card.text(_("-# This trick has no examples, so there is one way to ask it."))
        card.row(*prompts)
        if template.name in WITH_LABELS:
            test = ActionButton(TEST, template.name, label=_("Test on 50"), emoji="📈")
            calls = 50 * len(Shipped(template, ()).rungs)
            card.row(test).text(_("-# The test asks {n} times, and counts against your tokens of today.", n=calls))
        return card


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Compare(services_of(bot)))
