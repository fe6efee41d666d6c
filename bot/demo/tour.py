"""The tour: the bot's first message in the demo, with three buttons that show what it is about."""

from typing import Any

import discord

from bot.services import Services
from bot.ui.actions import ActionButton, Handler
from bot.ui.cards import notice
from bot.ui.prompt_card import prompt_card
from bot.ui.reply import attached
from bot.ui.safe import Layout

# The sample that the first button fills in: a text in one language and the name of another.
SAMPLE = {"text": "The pods are on the grid and the desert is quiet.", "to": "French"}
# The argument of the training button: which corpus.
CORPUS = "racing"
LATER = {
    "train": (
        "Training comes with /finetune, which this version does not have yet. What it trains on is here already: "
        "the texts of a racing season in the folder racing/."
    ),
    "play": "Playing comes with /adventure, which this version does not have yet. Until then, try /ask.",
}


def first_message() -> Layout:
    """What a newcomer reads first."""
    return notice(
        "I am Fewshot, a bot that shows its prompts and trains its own model",
        [
            "I teach a language model new tricks in front of you: by telling, by one example, by several, by choosing "
            "among templates, and by tuning a model on this server's own texts.",
            "Every answer has a **Prompt** button: behind it is exactly what was sent to the model. Type `/` to see "
            "my commands; `/help` explains each technique.",
            "-# Nothing leaves this machine, unless you have connected a model.",
        ],
        ActionButton("tour-prompt", label="Show me a prompt", emoji="🔍", style=discord.ButtonStyle.primary),
        ActionButton("train", CORPUS, label="Train a model (30 s)", emoji="🏋️"),
        ActionButton("play", label="Play", emoji="🎲"),
    )


def register(services: Services) -> None:
    """Serve the three buttons. A cog that serves `train` or `play` itself keeps them, so call this after loading."""

    async def show(interaction: discord.Interaction[Any], _: str, __: list[str]) -> None:
        await show_prompt(services, interaction)

    services.actions.register("tour-prompt", show)
    for action, sentence in LATER.items():
        try:
            services.actions.register(action, _saying(sentence))
        except ValueError:
            continue  # Its cog serves it already.


async def show_prompt(services: Services, interaction: discord.Interaction[Any]) -> None:
    """The prompt of /translate, filled, for the one who pressed."""
    request = services.library.get("translate").fill(SAMPLE)
    card, files = prompt_card(
        request.technique,
        request.messages,
        ["The prompt of /translate, filled in and not sent"],
        parameters=request.parameters,
    )
    await interaction.response.send_message(view=card, files=attached(files), ephemeral=True)


def _saying(sentence: str) -> Handler:
    async def say(interaction: discord.Interaction[Any], _: str, __: list[str]) -> None:
        await interaction.response.send_message(sentence, ephemeral=True)

    return say
