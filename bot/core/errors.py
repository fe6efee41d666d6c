"""Errors whose text is a sentence for the user.

The sentence of a `FewshotError` is shown to the user. Any other exception is a bug: it is logged with an id, and the
user sees the id. Exceptions of libraries are translated where the library is called: `bot.llm.errors` for the model
client, `bot.ui.errors` for Discord.
"""

from bot.core.i18n import _


class FewshotError(Exception):
    """The base class: `str(error)` is one sentence without secrets that says what to do next.

    It is created with the English sentence and its values by name, and translated when it is converted to text.
    """

    def __init__(self, sentence: str = "", /, **values: object) -> None:
        super().__init__(sentence)
        self.sentence, self.values = sentence, values

    def __str__(self) -> str:
        return _(self.sentence, **self.values)


class InputError(FewshotError):
    """The user's input cannot be used: empty, too long, of the wrong type."""


class NotAllowedError(FewshotError):
    """The user has no permission for this."""


class NotFoundError(FewshotError):
    """What the user named does not exist, or no longer exists."""


class LimitError(FewshotError):
    """A limit of tokens or money is reached; the sentence says when it resets."""


class TemplateError(FewshotError):
    """A template is invalid or cannot be filled. The sentence names the file and all problems."""


class ModelError(FewshotError):
    """The model cannot be reached, or its answer cannot be used."""


class NoModelError(ModelError):
    """No language model is connected and the stand-in has no skill for this request.

    `request` is the request that would have been sent (`bot.llm.request.Request`), or None.
    """

    request: object | None = None


class ReplyError(ModelError):
    """The model's answer does not have the format that the template asks for.

    `answer` is that answer (`bot.llm.completion.Answer`), where that is known.
    """

    answer: object | None = None


class AnswerStoppedError(FewshotError):
    """Somebody stopped the answer before it had the form that was asked for.

    `answer` is what had arrived (`bot.llm.completion.Answer`), where the model was asked.
    """

    answer: object | None = None


class ConfigError(FewshotError):
    """A setting is missing or wrong. The sentence names it, for the operator."""


class StorageError(FewshotError):
    """The database cannot be used. The sentence is for the operator."""
