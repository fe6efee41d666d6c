"""The option `model` of the commands that ask: any model that may be chosen there, by label or name."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import app_commands

from bot.core.i18n import N_
from bot.core.settings import MAX_MODEL_NAME
from bot.server.chat_models import ChatModel, ChatModels
from bot.ui.views import MAX_CHOICES

MODEL = "model"
MODEL_ABOUT = N_("The model that answers")


def chat_models_of(interaction: discord.Interaction[Any]) -> ChatModels:
    """The chat models of the bot that received `interaction`."""
    models: ChatModels = interaction.client.chat_models
    return models


def model_choices(models: Iterable[ChatModel], typed: str) -> list[app_commands.Choice[str]]:
    """The choices among `models` for what was typed; `MAX_CHOICES` of them at most."""
    typed = typed.strip().casefold()
    found = [model for model in models if typed in f"{model.shown}\n{model.name}".casefold()]
    return [app_commands.Choice(name=model.shown, value=model.name) for model in found[:MAX_CHOICES]]


class _ModelTransformer(app_commands.Transformer):
    """Reads the name of a model; raises `InputError` for one that may not be chosen in the server."""

    @property
    def max_value(self) -> int:
        """The most characters."""
        return MAX_MODEL_NAME

    async def transform(self, interaction: discord.Interaction[Any], value: str, /) -> str:
        """The name of the model."""
        return chat_models_of(interaction).choose(interaction.guild_id, value).name

    async def autocomplete(  # type: ignore[override]  # the base class names more types of values
        self, interaction: discord.Interaction[Any], value: str, /
    ) -> list[app_commands.Choice[str]]:
        """The models that may be chosen in the server."""
        return model_choices(chat_models_of(interaction).allowed(interaction.guild_id), value)


if TYPE_CHECKING:
    ModelOption: TypeAlias = str
else:
    ModelOption = app_commands.Transform[str, _ModelTransformer]
