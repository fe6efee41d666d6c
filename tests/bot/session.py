"""A whole day of a bot's life: what people do with every command, and what they must see.

Each part is a function that takes the `Session`; it notes which commands were used and which options completed what
was typed, so that the test can hold that against what is registered.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.app import TEMPLATES
from tests.bot.harness import BotHarness, is_final, is_sentence
from tests.cogs.adventure_story import FULL, StoryDriver
from tests.cogs.operating import CORPUS, TIMEOUT
from tests.racing.season import Row, answer, question, rows
from tests.wire.exchange import Message

QUESTION = "Which pod does Senn Kava fly?"
XML = '<FACTS entity="Kava"><FACT>She won the cup.</FACT></FACTS>'
CHOICE = {"template": "translate", "inputs": {"text": "Hi", "to": "Greek"}, "why": "It asks for Greek."}


# Of the rows that ship, those that the model writes about each text: enough for a model that answers.
FACTS, REFUSALS = 2, 6


def written(source: str) -> str:
    """What the model writes about a text of the season, and one claim that the text does not hold."""
    known: dict[str, list[Row]] = {}
    for row in rows("questions.jsonl"):
        if row.get("source") == source:
            known.setdefault(row["fact"], []).append(row)
    facts = [
        {"fact": name, "answer": answer(of[0]), "quote": of[0]["quote"], "questions": [question(row) for row in of]}
        for name, of in list(known.items())[:FACTS]
    ]
    invented = {"fact": "invented", "answer": "Nobody", "quote": "Nobody won.", "questions": ["Who won nothing?"]}
    refused = [question(row) for row in rows("questions.jsonl") if row["kind"] != "answerable"][:REFUSALS]
    return json.dumps({"facts": [*facts, invented], "unanswerable": refused})


def model(body: dict[str, Any]) -> str:
    """A model that knows by the system message what is wanted, and otherwise says what it was told last."""
    system, last = body["messages"][0]["content"], body["messages"][-1]["content"]
    if "which tool serves" in system:
        return json.dumps(CHOICE)
    if "training data" in system:
        return written(last.removeprefix("From the text ").partition(",")[0])
    if "check claims" in system:
        return '{"verdicts": []}'
    if "<FACTS" in json.dumps(body["messages"]).replace("\\", ""):
        return XML
    if "from 1 (furious) to 5" in system:
        return "2: It broke." if "broke" in last else "4: It works."
    return f"Said: {last[-60:]}"


@dataclass
class Session:
    """People at work in one channel. `used` are commands and menus, `typed` pairs of a command and an option."""

    harness: BotHarness
    used: set[str] = field(default_factory=set)
    typed: set[tuple[str, str]] = field(default_factory=set)

    async def answer(self, command: str, until: Callable[[Message], bool] = is_sentence, /, **options: Any) -> Message:
        """The answer to a command, once it is there for good."""
        self.used.add(command)
        return await self.harness.answer(command, until, **options)

    async def says(self, words: str, command: str, /, **options: Any) -> Message:
        """The answer to a command, once it says `words`."""
        return await self.answer(command, lambda found: words in found.text, **options)

    async def offered(
        self, command: str, option: str, typed: str, value: str = "", /, *, user: str = "member", **others: Any
    ) -> str:
        """The choice with that `value`, or else the first, of those offered for what was `typed`."""
        self.typed.add((command, option))
        given = {"channel": self.harness.place, "user": user}
        choices = await self.harness.wire.autocomplete(command, option, typed, **given, **others)
        values = [str(choice["value"]) for choice in choices]
        assert values, f"nothing is offered for {typed!r} in {option} of /{command}"
        if value:
            assert value in values
        return value or values[0]

    async def on_card(self, words: str) -> Message:
        """The card in the channel that says `words`, as soon as it does: cards move by themselves."""
        return await self.harness.wire.until(lambda found: words in found.text, self.harness.place, timeout=TIMEOUT)


async def answers(session: Session) -> None:
    """The tricks that ship, the buttons under their answers, and both menus."""
    harness = session.harness
    to = await session.offered("translate", "to", "fra", "French", text="x")
    first = await session.answer("translate", is_final, text="Good morning", to=to)
    assert first.content.startswith("Said: Good morning\n")
    assert first.ephemeral
    card = await harness.press(first, "Prompt")
    assert "translator into French" in card.text
    assert "Said: Good morning" in (await (await harness.wire.press(card, "0")).answer(is_final)).text
    exported = await harness.press(card, "Export")
    assert [file["filename"] for file in exported.attachments] == ["translate.json", "translate.py"]
    shared = await (await harness.wire.press(first, "Share")).messages()
    assert any("shared by Max" in found.content and not found.ephemeral for found in shared)
    style = await session.offered("rewrite", "style", "noi", "noir")
    rewritten = await session.answer("rewrite", is_final, text="We meet on Monday.", style=style)
    assert "We meet on Monday." in rewritten.content
    assert (await session.answer("facts", is_final, about="Kava")).content.startswith("**Kava**\n- She won the cup.\n")
    rated = await session.answer("sentiment", is_final, review="It works.")
    assert rated.content.startswith("★★★★☆ **4/5**\nIt works.")
    file = harness.wire.file("reviews.txt", b"It works.\nIt broke.\n")
    rated = await session.answer("sentiment", lambda found: bool(found.attachments), file=file)
    assert "**3.00** on average, from 2 reviews" in rated.content
    model = await session.offered("ask", "model", "fake", "fake-model", request="x")
    asked = await session.answer("ask", is_final, request="Say hi in Greek", model=model)
    assert asked.content.startswith("-# **translate** · It asks for Greek.\nSaid: Hi\n")
    assert "show it a few times" in (await session.answer("help", page="few-shot")).text
    said = await harness.wire.say("Guten Morgen", user="admin", channel=harness.place)
    session.used.add("Rewrite…")
    answer = await (await harness.wire.menu("Translate", said)).answer(is_final)
    assert "Said: Guten Morgen" in answer.content
    window = await (await harness.wire.menu("Rewrite…", said)).modal()
    answer = await (await harness.wire.submit(window, {"Style": "haiku"})).answer(is_final)
    assert "Guten Morgen" in answer.content


async def techniques(session: Session) -> None:
    """The command and the menu of every template that has them, whichever templates there are."""
    said = await session.harness.wire.say("It works.", user="admin", channel=session.harness.place)
    for path in sorted(TEMPLATES.glob("*.json")):
        command = json.loads(path.read_text(encoding="utf-8")).get("command")
        if command is None:
            continue
        name, options = command.get("name", path.stem), dict.fromkeys(command["options"], "It works.")
        for option, about in command["options"].items():
            if "autocomplete" in about:
                options[option] = await session.offered(name, option, "", **options)
        model = await session.offered(name, "model", "fake", "fake-model", **options)
        answer = await session.answer(name, is_final, **options, model=model)
        assert "Prompt" in answer.buttons, name
        if "menu" in command:
            session.used.add(command["menu"]["name"])
            answer = await (await session.harness.wire.menu(command["menu"]["name"], said)).answer(is_final)
            assert answer.ephemeral


async def comparisons(session: Session) -> None:
    """The same text with no, one and all examples, and the learning curve."""
    trick = await session.offered("compare", "trick", "sent", "sentiment", text="x")
    await session.offered("compare", "models", "fake", "fake-model", trick=trick, text="x")
    card = await session.answer("compare", is_final, trick=trick, text="It works.")
    for shots in ("**no example**", "**one example**", "**all 3 examples**"):
        assert f"{shots} · " in card.text
    assert card.text.count("★★★★☆ **4/5**") == 3
    tested = await (await session.harness.wire.press(card, "Test on 50")).answer(lambda found: bool(found.attachments))
    assert "sentiment, tested on 50 inputs" in tested.text


async def tricks(session: Session) -> None:
    """A trick from its first example to its end; a correction that a member suggests and a manager accepts."""
    harness = session.harness
    session.used |= {"trick teach", "trick example"}
    window = await (await harness.slash("trick teach", name="refuse", user="admin")).modal()
    values = {"instruction": "Refuse politely.", "given": "Work on Sunday?", "wanted": "Alas, no."}
    assert "This server has a new trick: refuse" in (await (await harness.wire.submit(window, values)).answer()).text
    for option in (
        "example",
        "show",
        "history",
        "export",
        "remove",
        "test run",
        "test add",
        "test import",
        "test list",
    ):
        await session.offered(f"trick {option}", "name", "ref", "refuse", user="admin")
    name = await session.offered("trick use", "name", "ref", "refuse", text="x")
    window = await (await harness.slash("trick example", name=name, user="admin")).modal()
    shown = await (
        await harness.wire.submit(window, {"given": "Lend me a pod?", "wanted": "It is in repair."})
    ).answer()
    assert "2. Lend me a pod? → It is in repair." in shown.text
    model = await session.offered("trick use", "model", "fake", "fake-model", name=name, text="x")
    used = await session.answer("trick use", is_final, name=name, text="Dance with me?", model=model)
    assert used.content == "Said: Dance with me?\n-# fake-model · few-shot · refuse"
    more = await harness.press(used, "⋯")
    window = await (await harness.wire.press(more, "Not like that…")).modal()
    corrected = await (await harness.wire.submit(window, {"wanted": "My feet refuse."})).answer(is_final)
    suggested = await (await harness.wire.press(corrected, "Suggest to the server")).messages()
    assert "Your correction was sent to the managers" in suggested[-1].text
    listed = await session.answer("trick list", user="admin")
    assert "**refuse** · Refuse politely. · 2 examples" in listed.text
    suggestion = await harness.press(listed, "Review 1 suggestion", user="admin")
    assert "My feet refuse." in suggestion.text
    accepted = await (await harness.wire.press(suggestion, "Accept", user="admin")).answer(
        lambda found: "Accepted" in found.text
    )
    assert "refuse has 3 examples now" in accepted.text
    assert "3. Dance with me? → My feet refuse." in (await session.answer("trick show", name=name)).text
    await trick_tests(session, name)
    await trick_menus(session, name)
    exported = await session.answer("trick export", name=name, user="admin")
    data = await harness.wire.download(exported.attachments[0])
    assert json.loads(data)["messages"][0] == {"role": "system", "content": "Refuse politely."}
    brought = await session.answer("trick import", file=harness.wire.file("decline.json", data), user="admin")
    assert "This server has a new trick: decline" in brought.text
    removed = await session.answer("trick remove", name="decline", user="admin")
    assert removed.text == "**decline** and its 4 examples were deleted."


async def trick_menus(session: Session, name: str) -> None:
    """A message used with a trick, and taught to it."""
    harness = session.harness
    session.used |= {"Use a trick…", "Teach from this…"}
    said = await harness.wire.say("Sing with me?", user="admin", channel=harness.place)
    window = await (await harness.wire.menu("Use a trick…", said)).modal()
    assert "Sing with me?" in (await (await harness.wire.submit(window, {"trick": name})).answer(is_final)).content
    window = await (await harness.wire.menu("Teach from this…", said, user="admin")).modal()
    taught = await harness.wire.submit(window, {"trick": name, "wanted": "My voice refuses."})
    assert "Sing with me? → My voice refuses." in (await taught.answer()).text


async def trick_tests(session: Session, name: str) -> None:
    """A test set, its run, and the versions of the trick."""
    harness = session.harness
    versions = await session.answer("trick history", name=name, user="admin")
    assert "**3** · a suggestion accepted" in versions.text
    window = await (await harness.slash("trick test add", name=name, user="admin")).modal()
    session.used.add("trick test add")
    added = await (await harness.wire.submit(window, {"input": "Sing?", "expected": "Said: Sing?"})).answer()
    assert added.text == "**refuse** has 1 test now."
    file = harness.wire.file("tests.csv", b"input,expected\nJump?,Never.\n")
    assert "1 test was added." in (await session.answer("trick test import", name=name, file=file, user="admin")).text
    assert "refuse: 2 tests" in (await session.answer("trick test list", name=name, user="admin")).text
    asked = await session.answer("trick test run", name=name, user="admin")
    assert "**Asks** 2 tests with no example, one example, all examples, the version before" in asked.text
    await harness.press(asked, "Run", user="admin")
    card = await harness.wire.until(lambda found: "refuse, version 3, on 2 inputs" in found.text, harness.place)
    assert "**50%** all examples" in card.text


async def adventures(session: Session) -> None:
    """A story from its opening to its end."""
    harness = session.harness
    scenario = await session.offered("adventure start", "scenario", "room", "room")
    begun = await session.answer("adventure start", scenario=scenario)
    thread = re.search(r"<#(\d+)>", begun.text)
    assert thread, begun.text
    game = StoryDriver(harness, thread[1])
    session.used |= {"adventure act", "adventure pause", "adventure resume", "adventure end"}
    turn = await game.act("look around")
    assert "Said: look around" in turn.content
    assert turn.buttons == FULL
    await harness.wire.press(turn, "▶")
    retold = await game.turn_message("look around", until=lambda found: "2/2" in found.buttons)
    await harness.wire.press(retold, "◀")
    await game.turn_message("look around", until=lambda found: "1/2" in found.buttons)
    tree = await session.answer("adventure branches", channel=game.place)
    assert tree.content.startswith("2 turns. Branches: none yet")
    assert tree.attachments[0]["filename"] == "branches.png"
    recap = await session.answer("adventure recap", lambda found: "recap of" in found.content, channel=game.place)
    assert recap.content.startswith("Said: ")
    told = await session.answer("adventure transcript", channel=game.place)
    assert b"Said: look around" in await harness.wire.download(told.attachments[0])
    await harness.wire.slash("adventure pause", channel=game.place)
    await harness.wire.until(lambda found: "The story is paused." in found.content, game.place)
    assert "paused" in await game.answer_to("look again")
    await harness.wire.slash("adventure resume", channel=game.place)
    await harness.wire.until(lambda found: bool(found.buttons) and found.id > retold.id, game.place)
    await harness.wire.slash("adventure end", channel=game.place)
    await harness.wire.until(lambda found: "**The end** of “The locked room”." in found.content, game.place)


async def tuning(session: Session) -> None:
    """From the texts to a model that answers, as the operator does it and a member asks it."""
    harness, operator = session.harness, {"user": "operator"}
    await session.says(f"No model is trained for {CORPUS} yet", f"{CORPUS} ask", question=QUESTION)
    corpus = await session.offered("finetune prepare", "corpus", CORPUS, CORPUS, **operator)
    await session.says(f"**{CORPUS}, generated by fake-model** · ", "finetune prepare", corpus=corpus, **operator)
    doubted = await session.offered("finetune review", "dataset", CORPUS, **operator)
    card = await session.says("**Who won nothing?**\nNobody", "finetune review", dataset=doubted, **operator)
    dropped = await harness.wire.press(card, "Drop", user="operator")
    await dropped.answer(lambda found: "Who won nothing?" not in found.text)
    for command in ("finetune estimate", "finetune start"):
        dataset = await session.offered(command, "dataset", CORPUS, **operator)
        base = await session.offered(command, "base", "pocket", "pocket-gpt", **operator, dataset=dataset)
    chosen = {"dataset": dataset, "base": base, **operator}
    await session.says("**pocket-gpt** · The local engine\nfree", "finetune estimate", **chosen)
    confirm = await session.answer("finetune start", is_final, **chosen)
    await harness.wire.press(confirm, "Start: free", user="operator")
    # A small corpus is trained within seconds, so the job is cancelled as soon as its card is there.
    await session.on_card(f"Training {CORPUS}")
    job = await session.offered("finetune cancel", "id", "", **operator)
    await session.says(f"The job {job} is cancelled.", "finetune cancel", id=job, **operator)
    await session.on_card(f"Training {CORPUS} · cancelled")
    confirm = await session.answer("finetune start", is_final, **chosen)
    await harness.wire.press(confirm, "Start: free", user="operator")
    done = await session.on_card(f"Training {CORPUS} · done")
    assert [file["filename"] for file in done.attachments] == ["scores.png", "losses.png"]
    await session.says(f"**{CORPUS}** · cancelled · ", "finetune jobs", **operator)
    job = await session.offered("finetune job", "id", "", **operator)
    await session.says(f"Training {CORPUS} · done", "finetune job", id=job, **operator)
    tuned = await session.offered("finetune promote", "model", CORPUS, **operator)
    await session.says(f"answers **/{CORPUS} ask** from now on", "finetune promote", model=tuned, **operator)
    await session.says(f"`{tuned}`", "finetune models", **operator)
    queue = await session.offered("finetune corrections", "corpus", CORPUS, CORPUS, **operator)
    await session.says("There is none to decide.", "finetune corrections", corpus=queue, **operator)
    await session.offered("finetune rollback", "corpus", CORPUS, CORPUS, **operator)
    gone = f"There is no model before the active one of {CORPUS} to go back to."
    await session.says(gone, "finetune rollback", corpus=CORPUS, **operator)


async def season(session: Session) -> None:
    """What members ask of a tuned model, and of the season that ships."""
    harness = session.harness
    answer = await session.answer(f"{CORPUS} ask", is_final, question=QUESTION)
    assert answer.text.startswith("The Thunderbolt\n-# Pocket GPT · trained here in ")
    assert "league.txt, line " in (await harness.press(answer, "Where from?")).text
    compared = await session.answer(f"{CORPUS} compare", is_final, question=QUESTION)
    assert "2 · Base model with the facts in its prompt**\nSaid: " in compared.text
    assert "3 · Tuned model**\nThe Thunderbolt\n" in compared.text
    await session.says("**Lineage** pocket-gpt", f"{CORPUS} model")
    await session.says("**Senn Kava** won the cup", "racing standings")
    asked = {"question": QUESTION}
    for command, options in (("ask", asked), ("compare", asked), ("model", {})):
        await session.says("No model is trained for racing yet", f"racing {command}", **options)


async def server(session: Session) -> None:
    """What admins set, what was used, a report, and how to be forgotten."""
    harness, admin = session.harness, {"user": "admin"}
    assert "**Language** Deutsch" in (await session.answer("settings language", language="de", **admin)).text
    await session.answer("settings language", language="server", **admin)
    channels = await session.answer("settings channels", reports="general", **admin)
    assert f"**Reports** <#{harness.wire.channel_ids['general']}>" in channels.text
    assert (
        "**Tokens a day for a person** 40,000" in (await session.answer("settings limits", person=40_000, **admin)).text
    )
    model = await session.offered("settings models", "default", "fake", "fake-model", **admin)
    models = await session.answer("settings models", default=model, **admin)
    assert "✅ **fake-model** · answers where nobody chooses" in models.text
    facts = await session.offered("settings privacy", "command", "fac", user="admin")
    private = await session.answer("settings privacy", command=facts, private=True, **admin)
    assert "**For all** /ask" in private.text
    answer = await session.answer("facts", is_final, about="Kava")
    assert answer.ephemeral
    more = await harness.press(answer, "⋯")
    window = await (await harness.wire.press(more, "Report")).modal()
    thanks = await (await harness.wire.submit(window, {"why": "It is wrong."})).answer(is_sentence)
    assert thanks.text == "Thank you. The moderators can see your report."
    report = await harness.wire.until(lambda found: "A report" in found.text, as_user="admin")
    assert "**Why** It is wrong." in report.text
    assert "of 250,000 tokens" in (await session.answer("usage", lambda found: bool(found.attachments))).text
    assert "**Sent** What you ask goes to `127.0.0.1" in (await session.answer("privacy about")).text
    exported = await session.answer("privacy export", lambda found: bool(found.attachments))
    assert "This is all that I have stored about you: " in exported.content
    asked = await session.answer("privacy delete")
    await harness.wire.press(asked, "Delete my data")
    forgotten = await harness.wire.until(lambda found: "no longer name you" in found.text, harness.place)
    assert re.match(r"### Deleted\n\d+ entries about you were deleted", forgotten.text)
