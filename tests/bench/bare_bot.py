"""The baseline: discord.py and AsyncOpenAI with one completion and one edit per command."""

import os

import discord
from discord import app_commands
from openai import AsyncOpenAI


class BareBot(discord.Client):
    """The smallest bot with one slash command."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.default())
        self.tree = app_commands.CommandTree(self)
        self.model = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])

    async def setup_hook(self) -> None:
        """Register the command."""
        await self.tree.sync()


def main() -> None:
    """Run until stopped."""
    bot = BareBot()

    @bot.tree.command(name="translate", description="Translate a text")
    async def translate(interaction: discord.Interaction, text: str, to: str = "French") -> None:
        await interaction.response.defer(ephemeral=True)
        completion = await bot.model.chat.completions.create(
            model=os.environ["CHAT_MODEL"],
            temperature=0,
            messages=[
                {"role": "system", "content": f"You are a translator into {to}. Reply with the translation alone."},
                {"role": "user", "content": text},
            ],
        )
        await interaction.edit_original_response(content=completion.choices[0].message.content)

    bot.run(os.environ["DISCORD_TOKEN"], log_handler=None)
