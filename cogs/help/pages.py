"""The pages of `/help`, in words for people who have never written a prompt."""

from dataclasses import dataclass

from bot.core.i18n import N_

START, CONNECT = "start", "connect"


@dataclass(frozen=True, slots=True)
class HelpPage:
    """A page: its title, and its text in Discord's Markdown; both in English, to be said with `_`."""

    title: str
    text: str


PAGES: dict[str, HelpPage] = {
    START: HelpPage(
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
            "`/usage` of tokens, `/privacy` of what I keep; for managers `/settings`\n\n"
            "Right-click a message (on a phone: press and hold) and open **Apps** for **Translate** and **Rewrite…**."
        ),
    ),
    "zero-shot": HelpPage(
        N_("Zero-shot: just say it"),
        N_(
            "The model gets an instruction and no example.\n\n"
            "**Use it** when the task has a name that everyone knows: translate, summarise, explain.\n"
            "**Do not use it** when the answer must have a certain form or tone that is hard to describe.\n\n"
            "**Try** `/translate text:Where is the station? to:Italian`, then **Prompt**: one instruction, "
            "your text."
        ),
    ),
    "one-shot": HelpPage(
        N_("One-shot: show it once"),
        N_(
            "One example comes before your input. It shows what would take a page to describe.\n\n"
            "**Use it** for a style (`/rewrite`), or for a format such as XML (`/facts`).\n"
            "**Watch out:** with a single example, the model may copy its subject and not only its format.\n\n"
            "**Try** `/rewrite text:The meeting is moved to Monday. style:noir`"
        ),
    ),
    "few-shot": HelpPage(
        N_("Few-shot: show it a few times"),
        N_(
            "Several examples show the differences: what gets two stars, and what gets five.\n\n"
            "**Use it** when the task needs judgement, or when one example was not enough.\n"
            "**The price:** every example is sent, and paid for, with every question.\n\n"
            "**Try** `/sentiment review:The food was cold but the waiter made my day.`"
        ),
    ),
    "teaching": HelpPage(
        N_("Teach me by example"),
        N_(
            "A trick is an instruction and up to 20 examples. With more than eight, the model gets those "
            "most similar to your input. They never become training data.\n\n"
            "**Managers** type `/trick teach`, then `/trick example` for more; `/trick test` measures what "
            "the examples are worth, and `/trick export` takes a trick to another server.\n"
            "**Everyone** can correct their own answers: press **⋯**, then **Not like that…**, write the "
            "answer that you wanted, and compare before and after. **Suggest to the server** sends your "
            "correction to the managers.\n"
            "**On every prompt**, the buttons `0 · 1 · 3 · All` run your input again with that many "
            "examples."
        ),
    ),
    "selection": HelpPage(
        N_("Prompt selection: let the model choose"),
        N_(
            "The model reads what each template is for, and answers with the name of one and its inputs. Then that "
            "template is filled and sent.\n\n"
            "**Use it** when people should not have to know which command they need.\n"
            "**The price:** one more call for each request.\n\n"
            "**Try** `/ask request:Say “good night” in Japanese`"
        ),
    ),
    "fine-tuning": HelpPage(
        N_("Fine-tuning: train it"),
        N_(
            "A model is trained on hundreds of examples, instead of getting them with each question.\n\n"
            "**Use it** when the prompt would become too long, or when every answer must follow the same "
            "pattern.\n"
            "**Do not use it** when the facts change every week: a tuned model knows what it was trained "
            "on. Putting the facts into the prompt is often better, and always easier to correct."
        ),
    ),
    CONNECT: HelpPage(
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
