"""A small bot that uses every part of the loopback Discord; driven by the tests of this package."""

import asyncio
import io
import os
import sys
from typing import Any

import discord
from discord import app_commands

CHOICES = ("French", "Frisian", "German")


class TinyBot(discord.Client):
    """Registers its commands before it connects, and prints what the gateway tells it."""

    def __init__(self) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(intents=intents, guild_ready_timeout=0.1)
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        """Registers commands."""
        for command in COMMANDS:
            self.tree.add_command(command)
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        """Answers what people write, with what the bot could read of it."""
        if message.author.bot:
            return
        if message.content.startswith("thread"):
            thread = await message.create_thread(name="A thread")
            await thread.send("here")
            return
        await message.reply(f"read: {message.content}", mention_author=False)

    async def on_resumed(self) -> None:
        """Says so."""
        print("resumed", flush=True)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Says so."""
        print(f"deleted {event.message_id}", flush=True)


class Buttons(discord.ui.View):
    """A button that opens a modal, one that edits, and a menu."""

    @discord.ui.button(label="Form", custom_id="form")
    async def form(self, interaction: discord.Interaction, _: discord.ui.Button["Buttons"]) -> None:
        """Opens the modal."""
        await interaction.response.send_modal(Form())

    @discord.ui.button(label="Change", custom_id="change")
    async def change(self, interaction: discord.Interaction, _: discord.ui.Button["Buttons"]) -> None:
        """Edits the message it is on."""
        await interaction.response.edit_message(content="changed")

    @discord.ui.select(custom_id="menu", options=[discord.SelectOption(label=word) for word in CHOICES])
    async def menu(self, interaction: discord.Interaction, select: discord.ui.Select["Buttons"]) -> None:
        """Says what was chosen, to the chooser alone."""
        await interaction.response.send_message(f"chose {select.values[0]}", ephemeral=True)


class Form(discord.ui.Modal, title="A form"):
    """Two fields, one of each kind."""

    short = discord.ui.TextInput["Form"](label="Short", custom_id="short", max_length=10)
    long = discord.ui.Label["Form"](
        text="Long",
        component=discord.ui.TextInput["Form"](custom_id="long", style=discord.TextStyle.long, required=False),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Says what came."""
        assert isinstance(self.long.component, discord.ui.TextInput)
        await interaction.response.send_message(f"{self.short.value} / {self.long.component.value}")


@app_commands.command(description="Defers, and edits twice")
async def echo(interaction: discord.Interaction, text: str, private: bool = False, wait: float = 0.0) -> None:
    """Answers with the text."""
    await asyncio.sleep(wait)
    await interaction.response.defer(ephemeral=private)
    await interaction.edit_original_response(content=text[:1])
    await interaction.edit_original_response(content=text)


@app_commands.command(description="Shows buttons and a menu")
async def buttons(interaction: discord.Interaction) -> None:
    """Answers at once."""
    await interaction.response.send_message("press", view=Buttons())


@app_commands.command(description="Shows Components V2")
async def card(interaction: discord.Interaction, length: int) -> None:
    """Answers with a container of so many characters."""
    view = discord.ui.LayoutView()
    view.add_item(discord.ui.Container(discord.ui.TextDisplay("x" * length)))
    await interaction.response.send_message(view=view)


@app_commands.command(description="Takes a choice with autocomplete")
async def language(interaction: discord.Interaction, to: str, other: str = "") -> None:
    """Answers with the choice."""
    await interaction.response.send_message(f"{to} {other}")


@language.autocomplete("to")
async def complete_language(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """Offers what begins so, and too many choices for `many`."""
    if typed == "many":
        return [app_commands.Choice(name=str(number), value=str(number)) for number in range(26)]
    return [app_commands.Choice(name=word, value=word) for word in CHOICES if word.lower().startswith(typed)]


@app_commands.command(description="Gives a file back")
async def copy(interaction: discord.Interaction, file: discord.Attachment) -> None:
    """Answers with the file's bytes reversed, then in a second message with a larger one."""
    data = (await file.read())[::-1]
    await interaction.response.send_message(file=discord.File(io.BytesIO(data), f"copy-{file.filename}"))


@app_commands.command(description="Answers too late, once, and after its end")
async def late(interaction: discord.Interaction, text: str, seconds: float) -> None:
    """Edits its answer after so many seconds, and says on standard output what Discord thought of it."""
    await interaction.response.defer()
    await asyncio.sleep(seconds)
    try:
        await interaction.edit_original_response(content=text)
    except discord.HTTPException as error:
        print(f"refused {error.status} {error.code} {error.text}", flush=True)


@app_commands.command(description="Says something in the channel itself")
async def shout(interaction: discord.Interaction, text: str, times: int = 1) -> None:
    """Sends normal messages, which may ping nobody."""
    await interaction.response.defer(ephemeral=True)
    assert isinstance(interaction.channel, discord.abc.Messageable)
    try:
        for _ in range(times):
            await interaction.channel.send(text, allowed_mentions=discord.AllowedMentions.none())
    except discord.HTTPException as error:
        await interaction.edit_original_response(content=f"refused {error.status} {error.code}")
        return
    await interaction.followup.send("done")


@app_commands.context_menu(name="Length")
async def length_menu(interaction: discord.Interaction, message: discord.Message) -> None:
    """Counts a message's characters."""
    await interaction.response.send_message(f"{len(message.content)} characters", ephemeral=True)


@app_commands.context_menu(name="Parts")
async def parts_menu(interaction: discord.Interaction, message: discord.Message) -> None:
    """Lists what discord.py reads in a message beside its content."""
    parts = [f"snapshot {one.content}" for one in message.message_snapshots]
    parts += [f"embed {embed.title}" for embed in message.embeds]
    parts += [f"poll {message.poll.question}: {', '.join(map(str, message.poll.answers))}"] if message.poll else []
    parts += [f"component {item.type.name}" for item in message.components]
    parts += [f"file {item.filename} {item.description}" for item in message.attachments]
    await interaction.response.send_message("; ".join(parts), ephemeral=True)


@app_commands.command(description="Sends a file with a description, then edits a message in a thread")
async def thread_edit(interaction: discord.Interaction, place: discord.Thread) -> None:
    """Sends to a thread and edits the message every tenth of a second until Discord refuses it."""
    await interaction.response.send_message("working")
    message = await place.send(file=discord.File(io.BytesIO(b"x"), "x.png", description="A dot"))
    try:
        for number in range(100):
            await message.edit(content=str(number))
            await asyncio.sleep(0.1)
    except discord.HTTPException as error:
        print(f"refused {error.status} {error.code} {error.text}", flush=True)


group = app_commands.Group(name="group", description="A group")


@group.command(description="A subcommand with every kind of option")
async def sub(
    interaction: discord.Interaction, person: discord.Member, place: discord.TextChannel, number: int, share: float
) -> None:
    """Answers with what it was given."""
    await interaction.response.send_message(f"{person.display_name} {place.name} {number} {share}")


COMMANDS: tuple[app_commands.Command[Any, ..., Any] | app_commands.ContextMenu | app_commands.Group, ...] = (
    echo,
    buttons,
    card,
    language,
    copy,
    late,
    shout,
    length_menu,
    parts_menu,
    thread_edit,
    group,
)


def main() -> int:
    """Runs the bot until it is stopped."""
    TinyBot().run(os.environ["DISCORD_TOKEN"], log_level=20)
    return 0


if __name__ == "__main__":
    sys.exit(main())
