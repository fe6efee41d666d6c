"""The bot's first message in the demo, with three buttons."""

from typing import Any

import discord

from bot.answers.prompt_view import prompt_card
from bot.core.i18n import _
from bot.server.model_gateway import dry_run
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.caller import caller_of
from bot.ui.cards import notice
from bot.ui.files import to_files
from bot.ui.views import LayoutView

# The values of the first button's prompt.
SAMPLE_PROMPT = {"text": "The pods are on the grid and the desert is quiet.", "to": "French"}
# The corpus of the training button.
CORPUS = "racing"


def first_message() -> LayoutView:
    """The first message."""
    return notice(
        _("I am Fewshot, a bot that shows its prompts and trains its own model"),
        [
            _(
                "I teach a language model new tricks in front of you: with an instruction, with one example, "
                "with several, by choosing among templates, and by tuning a model on this server's own texts."
            ),
            _(
                "Every answer has a **Prompt** button that shows exactly what was sent to the model. Type `/` "
                "to see my commands; `/help` explains each technique."
            ),
            _("-# Nothing leaves this machine, unless you have connected a model."),
        ],
        ActionButton("tour-prompt", label=_("Show me a prompt"), emoji="🔍", style=discord.ButtonStyle.primary),
        ActionButton("train", CORPUS, label=_("Train a model (30 s)"), emoji="🏋️"),
        ActionButton("play", label=_("Play"), emoji="🎲"),
    )


def register(services: Services) -> None:
    """Register the first button's action; cogs register the others."""

    async def show(interaction: discord.Interaction[Any], _argument: str) -> None:
        """Show the filled prompt of /translate to the user."""
        request = services.templates.get("translate").fill(SAMPLE_PROMPT)
        record = dry_run(caller_of(interaction), request)
        services.prompts.cache(record)
        card, files = prompt_card(record, note=_("The prompt of /translate, filled in and not sent"))
        await interaction.response.send_message(view=card, files=to_files(files), ephemeral=True)

    services.actions.register("tour-prompt", show)
