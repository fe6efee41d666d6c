"""`/help`: a page on each technique, what it is and when to use which; and how to connect a model."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import NotFoundError
from bot.core.i18n import N_, _
from bot.services import Services, services_of
from bot.ui.actions import ActionSelect
from bot.ui.cards import Card
from bot.ui.views import LayoutView

MENU = "help"
START, CONNECT = "start", "connect"


# By name: the title of a page, and its text in Markdown.
PAGES = {
    START: (
        N_("What I do"),
        N_(
            "I teach a language model new tricks and show you how. Every answer has a **Prompt** button: press it to "
            "see exactly what was sent.\n\n"
            "`/translate` a text, told in words alone\n"
            "`/rewrite` a text in a style that one sample shows\n"
            "`/facts` about something, in a form that one example shows\n"
            "`/sentiment` of a review, learnt from three rated ones; or of a whole file\n"
            "`/ask` for anything, and the model chooses the trick\n"
            "`/adventure start` a story that you play with others, turn by turn\n"
            "`/compare` a trick with no, one and all its examples\n"
            "`/trick` to use what this server taught me; its managers teach with `/trick teach`\n"
            "`/racing` to ask a model that was trained on a season; its operator trains with `/finetune`\n"
            "`/usage` shows the tokens that you used, and `/privacy` what I store about you; "
            "managers have `/settings`\n\n"
            "Right-click a message (on a phone: press and hold) and open **Apps**: **Translate**, **Rewrite…**, "
            "**Use a trick…**\n"
            "Mention me to talk to me."
        ),
    ),
    "zero-shot": (
        N_("Zero-shot: just say it"),
        N_(
            "The model gets an instruction and no example.\n\n"
            "**Use it** when the task has a name that everyone knows: translate, summarise, explain.\n"
            "**Do not use it** when the answer must have a certain form or tone that is hard to describe.\n\n"
            "**Try** `/translate text:Where is the station? to:Italian`, then **Prompt**: one instruction, "
            "your text."
        ),
    ),
    "one-shot": (
        N_("One-shot: show it once"),
        N_(
            "One example comes before your input. It shows what would take a page to describe.\n\n"
            "**Use it** for a style (`/rewrite`), or for a format such as XML (`/facts`).\n"
            "**Watch out:** with a single example, the model may copy its subject and not only its format.\n\n"
            "**Try** `/rewrite text:The meeting is moved to Monday. style:noir`"
        ),
    ),
    "few-shot": (
        N_("Few-shot: show it a few times"),
        N_(
            "Several examples show the differences: what gets two stars, and what gets five.\n\n"
            "**Use it** when the task needs judgement, or when one example was not enough.\n"
            "**The price:** every example is sent, and paid for, with every question.\n\n"
            "**Try** `/sentiment review:The food was cold but the waiter made my day.`"
        ),
    ),
    "teaching": (
        N_("Teach me by example"),
        N_(
            "A trick is an instruction and up to 20 examples. With more than eight, the model gets those "
            "most similar to your input. They never become training data.\n\n"
            "**Managers** type `/trick teach`, then `/trick example` for more; `/trick history` brings an old "
            "version back, and `/trick export` takes a trick to another server.\n"
            "**Test it:** `/trick test add` collects inputs with the right answers, and `/trick test run` says "
            "what the examples are worth. **Which examples matter?** finds those that do nothing or harm.\n"
            "**Everyone** can correct their own answers: press **⋯**, then **Not like that…**, write the "
            "answer that you wanted, and compare before and after. **Suggest to the server** sends your "
            "correction to the managers.\n"
            "**On every prompt**, the buttons `0 · 1 · 3 · All` run your input again with that many "
            "examples."
        ),
    ),
    "selection": (
        N_("Prompt selection: let the model choose"),
        N_(
            "The model reads what each template is for, and answers with the name of one and its inputs. Then that "
            "template is filled and sent.\n\n"
            "**Use it** when people should not have to know which command they need.\n"
            "**The price:** one more call for each request.\n\n"
            "**Try** `/ask request:Say “good night” in Japanese`"
        ),
    ),
    "conversation": (
        N_("A conversation: ask on"),
        N_(
            "The model gets everything that was said before, with each new question.\n\n"
            "**Follow up…** under an answer opens a window: “shorter”, “in German, please”, “why 3 stars?”. You can "
            "also mention me, write to me directly, or reply to what I wrote to your mention. Each reply has what "
            "stands above it as its memory; where that is too long, the answer says how much was left out.\n"
            "**Stop** ends an answer while it is written. **Again** asks once more; ◀ and ▶ page among the versions.\n"
            "**The price:** every earlier message is sent, and paid for, with every question.\n\n"
            "**See it** with **Prompt**: the whole exchange, as it was sent."
        ),
    ),
    "fine-tuning": (
        N_("Fine-tuning: train it"),
        N_(
            "A model is trained on hundreds of examples, instead of getting them with each question.\n\n"
            "**Use it** when the prompt would become too long, or when every answer must follow the same "
            "pattern.\n"
            "**Do not use it** when the facts change every week: a tuned model knows what it was trained "
            "on. Putting the facts into the prompt is often better, and always easier to correct."
        ),
    ),
    CONNECT: (
        N_("Connect a model"),
        N_(
            "Without a model I show what I would send. The person who runs me can connect one in `.env`:\n\n"
            "**OpenAI**\n```\nOPENAI_API_KEY=…\n```\n"
            "**A model on your own machine** (Ollama, LM Studio, llama.cpp, vLLM)\n"
            "```\nOPENAI_BASE_URL=http://127.0.0.1:11434/v1\nCHAT_MODEL=name-of-the-model\n```\n"
            "Then start me again. `fewshot doctor` finds model servers on your machine and says what is missing."
        ),
    ),
}

CHOICES = [app_commands.Choice(name=title, value=name) for name, (title, _text) in PAGES.items()]


class Help(commands.Cog):
    """Shows the pages to the person who asks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register_select(MENU, self.turn)
        services.actions.register("connect", self.connect)

    @app_commands.command(name="help", description="What I can do, and which technique to use when")
    @app_commands.describe(page="The page to open")
    @app_commands.choices(page=CHOICES)
    async def help(self, interaction: discord.Interaction[Any], page: str = START) -> None:
        """Show a page."""
        await interaction.response.send_message(view=self._card(page, interaction.client.application), ephemeral=True)

    async def turn(self, interaction: discord.Interaction[Any], _argument: str, chosen: list[str]) -> None:
        """Show another page in place of this one."""
        await interaction.response.edit_message(view=self._card(chosen[0], interaction.client.application))

    async def connect(self, interaction: discord.Interaction[Any], _argument: str) -> None:
        """The page on connecting a model."""
        await interaction.response.send_message(view=self._card(CONNECT, None), ephemeral=True)

    def _card(self, name: str, application: discord.AppInfo | None) -> LayoutView:
        """The page `name` with the menu of the others; raises `NotFoundError`."""
        if name not in PAGES:
            raise NotFoundError("There is no such page any more; type /help again.")
        title, text = PAGES[name]
        card = Card(_(title)).text(_(text))
        if name == START and (further := self._further_commands()):
            card.text("\n".join(further))
        if name == START and (links := self._links(application)):
            card.text(f"-# {links}")
        options = [
            discord.SelectOption(label=_(other), value=key, default=key == name)
            for key, (other, _text) in PAGES.items()
        ]
        return card.row(ActionSelect(MENU, "", options, _("More"))).layout()

    def _links(self, application: discord.AppInfo | None) -> str:
        """Links to the privacy policy and the terms: those in the settings, else those of the application."""
        settings = self._services.settings
        links = {
            _("Privacy policy"): settings.privacy_url or (application and application.privacy_policy_url),
            _("Terms of service"): settings.terms_url or (application and application.terms_of_service_url),
        }
        return " · ".join(f"[{label}](<{url}>)" for label, url in links.items() if url)

    def _further_commands(self) -> list[str]:
        """A line for each template with a command that the first page does not name."""
        _title, first_page = PAGES[START]
        commands_of = {
            template.command.name or name: template.command.description
            for name, template in self._services.templates.templates.items()
            if template.command is not None
        }
        return [f"`/{name}` {_(about)}" for name, about in commands_of.items() if f"`/{name}`" not in first_page]


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Help(services_of(bot)))
