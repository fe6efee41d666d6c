"""Playing: what people do to a story, by command, button, form or message, and what they are told of it."""

from typing import Any

import discord

from bot.core.errors import FewshotError, InputError, NotAllowedError, NotFoundError
from bot.core.i18n import N_, _, guild_locale, ngettext
from bot.core.text import escape_markdown
from bot.play import history as moving
from bot.play.action_parser import is_exit
from bot.play.history import Moved
from bot.play.interfaces import TurnView
from bot.play.permissions import Person
from bot.play.records import ENDED, RUNNING, Story
from bot.play.turn_queue import EnqueueResult
from bot.services import Services
from cogs.adventure import rendering
from cogs.adventure.message_view import Stage

# Stories looked after when the bot starts; a request to Discord each.
RESTORED = 20
VOTES = {
    moving.UNDO: N_("-# {name} votes to take the turn back: {have} of {needed}. Press it too if you agree."),
    moving.DROP: N_("-# {name} votes to leave it out: {have} of {needed}. Press it too if you agree."),
    moving.SWITCH: N_("-# {name} votes to go there: {have} of {needed}. Press it too if you agree."),
    moving.BACK: N_("-# {name} votes to go back a telling: {have} of {needed}. Press it too if you agree."),
    moving.FORWARD: N_("-# {name} votes to tell it another way: {have} of {needed}. Press it too if you agree."),
}
ELSEWHERE = N_("This button belongs to a story in another channel.")


def person_of(interaction: discord.Interaction[Any]) -> Person:
    """Who acted; in direct messages everyone keeps their own order."""
    alone = interaction.guild_id is None
    user = interaction.user
    return Person(user.id, user.display_name, alone or interaction.permissions.manage_messages)


def refuse_if_mute(interaction: discord.Interaction[Any]) -> None:
    """Raises `NotAllowedError` where the bot may not write: turns are messages of its own."""
    if interaction.guild_id is None:
        return
    may, thread = interaction.app_permissions, isinstance(interaction.channel, discord.Thread)
    if not (may.view_channel and (may.send_messages_in_threads if thread else may.send_messages)):
        raise NotAllowedError("I may not write in this channel, so no story can be told here; an admin can allow it.")


async def told(interaction: discord.Interaction[Any], sentence: str = "") -> None:
    """Close an acknowledged interaction: with a sentence for the one who acted, or without a trace."""
    waiting = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if sentence and waiting:
        await interaction.edit_original_response(content=sentence)
    elif sentence:
        await interaction.followup.send(sentence, ephemeral=True)
    elif waiting:
        await interaction.delete_original_response()


class Play:
    """One for the process; the cog and its menu share it."""

    def __init__(self, services: Services, stage: Stage) -> None:
        self._services, self.stage = services, stage
        self._adventures = services.adventures

    async def act(self, interaction: discord.Interaction[Any], story: Story, text: str) -> None:
        """A turn of the one who acted; the interaction is acknowledged already."""
        refuse_if_mute(interaction)
        person = person_of(interaction)
        if is_exit(text):
            await self.end(story, person)
            await told(interaction)
            return
        ticket = await self._adventures.act(story, person, text, interaction.id, self.stage)
        await told(interaction, await self.follow(story, ticket))

    async def follow(self, story: Story, ticket: EnqueueResult) -> str:
        """See that a turn is shown, and give the sentence for its player, empty where the turn speaks for itself."""
        if ticket.known:
            return ""
        if ticket.stopped:
            await self._adventures.post(await self._adventures.scene(story), self.stage)
            return _("The story has come to a stop before your turn. Yours is kept and waits; press Retry or Go on.")
        if ticket.ahead:
            return ngettext(
                "Another turn is before yours, which then comes by itself.",
                "{n} turns are before yours, which then comes by itself.",
                ticket.ahead,
            )
        if ticket.opened is not None:
            await ticket.opened
        return ""

    async def press(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """A button under a turn: continue, and the moves of the head."""
        story, seen, verb = await self.pressed(interaction, argument)
        refuse_if_mute(interaction)
        await interaction.response.defer()
        if verb == "continue":
            await self.refuse_if_past(story, seen)
            ticket = await self._adventures.go_on(story, person_of(interaction), interaction.id, self.stage)
            await told(interaction, await self.follow(story, ticket))
            return
        await self.move(interaction, story, seen, verb)

    async def move(
        self, interaction: discord.Interaction[Any], story: Story, seen: int | None, verb: str, to: int | None = None
    ) -> None:
        """Make a move, or cast a vote for it, and show what came of it."""
        person = person_of(interaction)
        moved = await self._services.history.move(story.id, seen, person, verb, self.stage, to=to)
        if moved.votes is not None:
            await interaction.followup.send(_voted(person, verb, moved))
        elif moved.ticket is not None:
            await told(interaction, await self.follow(story, moved.ticket))
        elif moved.scene is not None:
            await self._show(interaction, moved, moved.scene, verb)

    async def _show(self, interaction: discord.Interaction[Any], moved: Moved, scene: TurnView, verb: str) -> None:
        """Another telling in place of the one that was left; an earlier turn, or one elsewhere, in a new message."""
        in_place = interaction.message is not None and interaction.message.id == scene.story.message_id
        if verb in (moving.BACK, moving.FORWARD) and in_place and interaction.message is not None:
            await self.stage.render_buttons(scene)
            await self._adventures.shown(scene, interaction.message.id)
            return
        if verb in (moving.UNDO, moving.DROP) and in_place and moved.left is not None:
            with guild_locale():
                note = _("-# ↩ taken back by {name}", name=escape_markdown(person_of(interaction).name))
            await interaction.edit_original_response(
                content=f"{rendering.head(moved.left)}\n{note}", view=None, attachments=[]
            )
        await self._adventures.post(scene, self.stage)

    async def pressed(self, interaction: discord.Interaction[Any], argument: str) -> tuple[Story, int | None, str]:
        """The story, the turn and the verb in a button of ours.

        Raises `NotFoundError` for one of another channel, or of a story that has ended.
        """
        story_id, turn, verb = argument.split(":")
        story = await self._adventures.running(story_id)
        if story.channel_id != interaction.channel_id:
            raise NotFoundError(ELSEWHERE)
        return story, int(turn) or None, verb

    async def refuse_if_past(self, story: Story, seen: int | None) -> None:
        """Raises `NotFoundError` for a button under a turn that is not the newest; its buttons go."""
        if story.head != seen:
            raise NotFoundError(moving.MOVED_ON)

    async def end(self, story: Story, person: Person) -> None:
        """End a story, for all to see."""
        await self._adventures.set_state(story, person, ENDED)
        self.stage.remove_buttons(story)
        title = escape_markdown(story.title)
        await self.stage.say(
            story,
            N_(
                "**The end** of “{title}”. `/adventure transcript` gives it to read, `/adventure resume` takes it up "
                "again."
            ),
            title=title,
        )

    async def hear(self, message: discord.Message, story: Story, text: str) -> None:
        """A turn said in a message, in the language of the place. Whatever fails is answered with a sentence."""
        with self.stage.story_locale(story):
            try:
                await self._hear(message, story, text)
            except FewshotError as error:
                await message.reply(str(error), mention_author=False)

    async def _hear(self, message: discord.Message, story: Story, text: str) -> None:
        author = message.author
        moderator = isinstance(author, discord.Member) and message.channel.permissions_for(author).manage_messages
        person = Person(author.id, author.display_name, moderator or message.guild is None)
        if is_exit(text):
            await self.end(story, person)
            return
        ticket = await self._adventures.act(story, person, text, message.id, self.stage)
        await self.follow(story, ticket)
        if ticket.ahead and not ticket.stopped:
            await message.add_reaction("⏳")

    async def restore(self) -> int:
        """Show the newest turns anew whose messages are gone, or were left without buttons; how many there were."""
        shown = 0
        for story in await self._adventures.recent(RESTORED):
            if story.guild_id is None or self._adventures.taking.busy(story.id):
                continue  # A person who closed the conversation should not be called back into it.
            try:
                with self.stage.story_locale(story):
                    shown += await self._restored(story)
            except FewshotError:
                continue  # Its channel is gone or closed to us; whoever plays there will be told when they do.
        return shown

    async def _restored(self, story: Story) -> bool:
        """Show a story's newest turn where it does not stand as it should; whether that was so."""
        stands = await self.stage.stands(story)
        if stands:
            return False
        scene = await self._adventures.scene(story)
        if stands is None:
            await self._adventures.post(scene, self.stage)
        else:
            await self.stage.render_buttons(scene)
        return True

    async def start(self, interaction: discord.Interaction[Any], scenario_name: str) -> Story:
        """Begin a story: in a channel set aside for it, a thread or direct messages here, else in a new thread."""
        parent = self._parent(interaction)
        if parent is None:
            return await self.in_channel(interaction, interaction.channel_id or 0, scenario_name, new=True)
        title = self._adventures.scenarios.get(scenario_name).title
        thread = await parent.create_thread(name=title, type=discord.ChannelType.public_thread)
        return await self.in_channel(interaction, thread.id, scenario_name, new=True)

    async def in_channel(
        self, interaction: discord.Interaction[Any], channel_id: int, scenario_name: str, *, new: bool = False
    ) -> Story:
        """Begin a story in a channel; unless it must be `new`, go on with the one that is played there."""
        story = None if new else await self._adventures.here(channel_id)
        if story is not None:
            if story.state == RUNNING:
                await self._restored(story)
            return story
        person = person_of(interaction)
        story = await self._adventures.start(interaction.guild_id, channel_id, person, scenario_name)
        try:
            await self._adventures.post(TurnView(story, None), self.stage)
        except FewshotError:
            # A story that nobody can see would keep the channel taken.
            await self._adventures.set_state(story, person, ENDED)
            raise
        return story

    def _parent(self, interaction: discord.Interaction[Any]) -> discord.TextChannel | None:
        """The channel to open a thread in; None where the story is played where it was asked for.

        Raises `NotAllowedError` where the bot may not open one, `InputError` where there are none.
        """
        refuse_if_mute(interaction)
        channel = interaction.channel
        aside = self._services.guilds.of(interaction.guild_id).adventure_channels
        if interaction.guild_id is None or isinstance(channel, discord.Thread) or interaction.channel_id in aside:
            return None
        if not isinstance(channel, discord.TextChannel):
            raise InputError("A story needs a text channel; start it in one.")
        may = interaction.app_permissions
        if not (may.create_public_threads and may.send_messages_in_threads):
            raise NotAllowedError("I may not open threads here, and stories are played in one; an admin can allow it.")
        return channel


def _voted(person: Person, verb: str, moved: Moved) -> str:
    """What all read about a vote: for what, and how many there are."""
    assert moved.votes is not None, "a vote was cast"
    have, needed = moved.votes
    with guild_locale():
        said = _(VOTES[verb], name=escape_markdown(person.name), have=have, needed=needed)
        lost = _("I was restarted since this turn, so votes from before do not count any more.")
    return f"{said} {lost}" if moved.anew else said
