"""`/racing`, and a group like it for every other corpus: ask the model that was tuned on it.

`group`      the subcommands
`questions`  a question to the promoted model, **Where from?**, and the comparison with the base model
`correcting` **Wrong?**: the person who asked says what is right
`about`      the card of the model that answers: lineage, dataset, scores, dates
`standings`  the season's table, only for racing
"""

from discord.ext import commands

from bot.services import services_of
from cogs.corpus.about import About
from cogs.corpus.correcting import Correcting
from cogs.corpus.group import CorpusGroup
from cogs.corpus.questions import Questions


async def setup(bot: commands.Bot) -> None:
    """Add a group for each corpus of the settings, and the buttons under their answers."""
    services = services_of(bot)
    questions = Questions(services)
    about = About(services, questions)
    Correcting(services)  # registers its button
    for corpus in services.tuning.corpora.names:
        bot.tree.add_command(CorpusGroup(corpus, services, questions, about))
