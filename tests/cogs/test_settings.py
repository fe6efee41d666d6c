"""`/settings`, and what obeys it, as admins and members meet it."""

from pathlib import Path

import pytest
from discord import app_commands

from bot.server.guilds import SETTINGS, UNSET
from bot.server.trick_form import Example
from tests.simulated import Simulated, simulated


async def test_settings_are_kept_over_a_restart(tmp_path: Path) -> None:
    """What an admin sets is there again in the next process."""
    async with simulated(tmp_path) as sim:
        guild = sim.guild.id
        await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures, reports=sim.general)
        await sim.admin.slash(sim.general, "settings limits", person=5_000)
        await sim.admin.slash(sim.general, "settings language", language="de")
        before = sim.services.guilds.of(guild)
        assert not sim.errors
    assert before.adventure_channels
    async with simulated(tmp_path) as sim:
        assert sim.services.guilds.of(guild) == before
        assert (before.user_tokens, before.guild_tokens, before.language) == (5_000, None, "de")


async def test_a_removed_channel_serves_nothing_any_more(sim: Simulated) -> None:
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures, reports=sim.adventures)
    await sim.admin.slash(sim.general, "settings channels", remove=sim.adventures)
    own = sim.services.guilds.of(sim.guild.id)
    assert own.adventure_channels == frozenset()
    assert own.report_channel is None


async def test_one_channel_takes_the_place_of_another_at_once(sim: Simulated) -> None:
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.general, remove=sim.adventures)
    assert sim.services.guilds.of(sim.guild.id).adventure_channels == {sim.general.id}


@pytest.mark.parametrize(
    ("limit", "said"),
    [(0, "at least 1 token"), (-1, "at least 1 token"), (250_001, "a server can lower that, and not raise it")],
)
async def test_a_limit_that_cannot_hold_is_refused_in_a_sentence(sim: Simulated, limit: int, said: str) -> None:
    result = await sim.admin.slash(sim.general, "settings limits", person=limit)
    assert said in sim.said(result)
    assert sim.services.guilds.of(sim.guild.id).user_tokens is None


async def test_a_low_limit_stops_a_member_and_says_when_it_frees_up(sim: Simulated) -> None:
    shown = await sim.admin.slash(sim.general, "settings limits", person=10)
    assert "nobody can ask anything" in sim.text(shown.response)
    result = await sim.member.slash(sim.general, "translate", text="Good morning")
    assert "In this server you have used up today's tokens" in sim.said(result)
    assert "resets <t:" in sim.said(result)
    await sim.admin.slash(sim.general, "settings limits", reset=True)
    again = await sim.member.slash(sim.general, "translate", text="Good morning")
    assert sim.text(again.response).startswith("ok")


async def test_only_managers_may_change_settings(sim: Simulated) -> None:
    """Discord refuses it already; that the bot checks for itself is seen in the buttons of suggestions."""
    with pytest.raises(Exception, match="permission"):
        await sim.member.slash(sim.general, "settings limits", person=5_000)
    assert sim.services.guilds.of(sim.guild.id).user_tokens is None


async def test_a_server_chooses_who_sees_answers_and_a_person_chooses_for_theirs(sim: Simulated) -> None:
    await sim.admin.slash(sim.general, "settings privacy", command="translate", private=False)
    public = await sim.member.slash(sim.general, "translate", text="Good morning")
    assert public.response is not None
    assert not public.response.ephemeral
    own = await sim.member.slash(sim.general, "translate", text="Good morning", private=True)
    assert own.response is not None
    assert own.response.ephemeral


async def test_one_switch_is_about_the_questions_to_every_corpus_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "faq"
    folder.mkdir()
    (folder / "faq.txt").write_text("The paddock opens at nine.", encoding="utf-8")
    async with simulated(tmp_path / "data", corpora={"faq": folder}) as sim:
        told = await sim.admin.slash(sim.general, "settings privacy", command="racing", private=True)
        alone = next(line for line in sim.text(told.response).splitlines() if "For the asker alone" in line)
        assert alone.endswith(", /racing ask, /faq ask")
        for corpus in ("racing", "faq"):
            answer = await sim.member.slash(sim.general, f"{corpus} ask", question="When?")
            assert answer.response is not None
            assert answer.response.ephemeral


async def test_others_messages_stay_here_where_the_switch_is_off(sim: Simulated) -> None:
    """One's own message may still be translated."""
    theirs, own = await sim.other.send(sim.general, "Guten Morgen"), await sim.member.send(sim.general, "Hallo")
    await sim.admin.slash(sim.general, "settings privacy", menus=False)
    for menu in ("Translate", "Rewrite…"):
        refused = await sim.member.context_menu(sim.general, menu, theirs)
        assert "does not let me send other people's messages" in sim.text(refused.response)
    assert not sim.model.requests
    await sim.member.context_menu(sim.general, "Translate", own)
    assert len(sim.model.requests) == 1


async def test_every_setting_has_an_option_and_a_line_of_the_card(sim: Simulated) -> None:
    """Both come from the fields of `GuildSettings`: a new one needs nothing else."""
    group = sim.bot.tree.get_command("settings")
    assert isinstance(group, app_commands.Group)
    shown = sim.text((await sim.admin.slash(sim.general, "settings limits")).response)
    for name, setting in SETTINGS.items():
        command = group.get_command(setting.command)
        assert isinstance(command, app_commands.Command)
        option = command.get_parameter(setting.option)
        assert option is not None, name
        assert str(option.description) == setting.about
        if not setting.needs_moderation:
            line = setting.on if getattr(UNSET, name) else setting.off
            assert line.partition("{")[0].strip() in shown, name


async def test_the_highest_multiple_of_a_members_roles_counts_up_to_the_operators_limit(sim: Simulated) -> None:
    friends, helpers = sim.guild.create_role("friends"), sim.guild.create_role("helpers")
    await sim.admin.slash(sim.general, "settings limits", person=5_000, role=friends, times=0.5)
    shown = await sim.admin.slash(sim.general, "settings limits", role=helpers, times=3)
    assert f"**Tokens a day for** <@&{friends.id}> 0.5 times a person's" in sim.text(shown.response)
    sim.env.backend.add_member_role(sim.guild.id, sim.member.id, friends.id)
    sim.env.backend.add_member_role(sim.guild.id, sim.other.id, friends.id)
    sim.env.backend.add_member_role(sim.guild.id, sim.other.id, helpers.id)
    for who, limit in ((sim.member, "2,500"), (sim.other, "15,000"), (sim.admin, "5,000")):
        assert f"in this server 0 of {limit} tokens" in sim.text((await who.slash(sim.general, "usage")).response)
    await sim.admin.slash(sim.general, "settings limits", role=friends, times=0.01)
    refused = await sim.member.slash(sim.general, "translate", text="Good morning")
    assert "this would take about" in sim.said(refused)
    await sim.admin.slash(sim.general, "settings limits", role=helpers, times=100)
    assert "in this server 0 of 250,000" in sim.text((await sim.other.slash(sim.general, "usage")).response)
    assert not sim.model.requests


async def test_a_blocked_person_gets_a_sentence_and_the_model_no_call(sim: Simulated) -> None:
    """Nor by menus, files, and the buttons under earlier answers."""
    muted = sim.guild.create_role("muted")
    sim.env.backend.add_member_role(sim.guild.id, sim.other.id, muted.id)
    await sim.services.tricks.teach(sim.guild.id, sim.admin.id, "refuse", "Refuse.", Example("Come!", "No."))
    posted, earlier = await sim.admin.send(sim.general, "Guten Tag"), {}
    for who in (sim.member, sim.other):
        answer = (await who.slash(sim.general, "translate", text="Hi")).response
        assert answer is not None
        card = (await who.click(answer, label="Prompt")).response
        assert card is not None
        earlier[who] = answer, card
    number = len(sim.model.requests)
    for whom in (sim.member, muted):
        shown = await sim.admin.slash(sim.general, "settings limits", block=whom)
    assert f"**Blocked** <@{sim.member.id}>, <@&{muted.id}>" in sim.text(shown.response)
    file = ("reviews.txt", b"Fine.\nBad.")
    for who, (answer, card) in earlier.items():
        for attempt in (
            who.slash(sim.general, "translate", text="Hi"),
            who.slash(sim.general, "ask", request="Hi", file=file),
            who.slash(sim.general, "sentiment", file=file),
            who.slash(sim.general, "adventure start", scenario="room"),
            who.slash(sim.general, "rewrite"),
            *(who.context_menu(sim.general, menu, posted) for menu in ("Translate", "Rewrite…", "Use a trick…")),
            who.click(answer, label="Again"),
            who.click(answer, label="Follow up…"),
            who.click(card, label="0"),
        ):
            assert "do not let you ask me anything here" in sim.said(await attempt), attempt
    assert [message.content for message in sim.general.history()] == ["Guten Tag"]
    assert len(sim.model.requests) == number
    await sim.admin.slash(sim.general, "settings limits", unblock=sim.member)
    assert sim.text((await sim.member.slash(sim.general, "translate", text="Hi")).response).startswith("ok")


async def test_many_roles_channels_and_blocked_people_fit_into_the_card(sim: Simulated) -> None:
    many = range(10**17, 10**17 + 500)
    await sim.services.guilds.change(
        sim.guild.id,
        role_limits={str(role): 99.99 for role in many},
        blocked_users=frozenset(many),
        blocked_roles=frozenset(many),
        quiet_channels=frozenset(many),
        adventure_channels=frozenset(many),
    )
    shown = sim.text((await sim.admin.slash(sim.general, "settings limits")).response)
    assert len(shown) < 4_000
    assert "… and 985 more" in shown
