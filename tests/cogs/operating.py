"""The admin of the simulated server as the bot's operator, and a small corpus that a model learns in seconds.

async with season(tmp_path) as sim:                     # the corpus is there, and no model
async with season(tmp_path, trained=trained) as sim:    # a model of it answers
    await sim.member.slash(sim.general, "cup ask", question="Who won race 1?")
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import discord
import simcord

from bot.app import open_services
from bot.core.settings import Settings
from bot.tuning.profiles import PROFILES, Profile
from tests.local_engine import engine_in
from tests.racing.season import RACING, rows
from tests.simulated import Simulated, people, simulated, texts_of

CORPUS = "cup"
# Seconds that a job of the small corpus may take on a busy machine.
TIMEOUT = 180.0
NO_MODEL = {"openai_base_url": None, "openai_api_key": None, "chat_model": None}
# What the small corpus tells of: the league's table and the first race.
TOLD = ("league.txt", "race1.txt")
FACTS, REFUSALS = 10, 24
# So many epochs are enough to know that little by heart; the product takes four times as many.
ROUNDS = 25


def admin_id() -> int:
    """The id that the admin gets in every simulated server."""
    env = simcord.Env(discord.Client(intents=discord.Intents(guilds=True)))
    guild = env.create_guild("The Paddock")
    guild.create_text_channel("general")
    guild.create_text_channel("adventures")
    return people(env, guild)[0].id


OPERATORS = frozenset({admin_id()})


def small_corpus(folder: Path) -> Path:
    """A folder with two texts of the season, some facts of them in all their wordings, and refusals."""
    made = folder / "corpus"
    made.mkdir(parents=True)
    for name in TOLD:
        shutil.copy(RACING / name, made)
    every = rows("questions.jsonl")
    known = list(dict.fromkeys(row["fact"] for row in every if row.get("source") in TOLD))[:FACTS]
    refused = [row for row in every if row["kind"] != "answerable"][:REFUSALS]
    kept = [row for row in every if row["fact"] in known] + refused
    _write(made / "questions.jsonl", kept)
    held = [row for row in rows("heldout.jsonl") if row["fact"] in known or row["kind"] != "answerable"]
    _write(made / "heldout.jsonl", held)
    return made


def _write(file: Path, lines: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def short_training(rounds: int = ROUNDS) -> Profile:
    """The profile of the local engine, training for `rounds` epochs and looked at often.

    A test replaces the profile that is in use with it.
    """
    short = replace(PROFILES["engine"], hyperparameters=lambda *_: {"n_epochs": rounds})
    return replace(short, first_pause=0.1, longest_pause=0.3)


def trained_data(folder: Path) -> Path:
    """A data folder in which a model of the small corpus is trained and promoted; to be copied."""

    async def train() -> None:
        options: dict[str, Any] = NO_MODEL | {"data_dir": folder / "data", "corpora": {CORPUS: small_corpus(folder)}}
        async with engine_in(folder / "data"), open_services(Settings(_env_file=None, **options)) as services:
            dataset = await services.tuning.datasets.newest(CORPUS)
            begun = await services.tuning.jobs.start(dataset.id, 1)
            job = [job async for job in services.tuning.jobs.watch(begun.id)][-1]
            assert job.state == "done", job.error
            await services.tuning.models.promote(job.model, 1, "for the tests")

    with patch.dict(PROFILES, engine=short_training()):
        asyncio.run(train())
    return folder


@asynccontextmanager
async def season(
    folder: Path, *, trained: Path | None = None, model: bool = False, **options: Any
) -> AsyncIterator[Simulated]:
    """The bot with the small corpus, the admin as its operator, and no language model unless asked for."""
    if trained is not None:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
    corpus = folder / "corpus" if trained is not None else small_corpus(folder)
    given = {"operator_ids": OPERATORS, "corpora": {CORPUS: corpus}}
    own = {} if model else NO_MODEL
    engine = engine_in(folder / "data", serving_url=options.get("serving_url"))
    async with engine, simulated(folder / "data", **own, **(given | options)) as sim:
        yield sim


def shown(message: discord.Message) -> str:
    """All text of a message in a channel, that of cards included."""
    return "\n".join([message.content, *texts_of([part.to_dict() for part in message.components])]).strip()


async def card(sim: Simulated, words: str) -> discord.Message:
    """The newest message in the channel once it shows `words`: cards move by themselves."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            newest = sim.general.history()[-1:]
            if newest and words in shown(newest[0]):
                return newest[0]
            await asyncio.sleep(0.2)
