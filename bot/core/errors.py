"""Errors whose text is a sentence that the person in front of the bot may read.

Raise one of these and the sentence is shown as it stands; anything else is a fault of ours, which is
logged with an id, and the person is shown the id. Rooms that talk to something foreign translate its
exceptions at their own border: `bot.llm.errors` for the model client, `bot.ui.errors` for Discord.
"""

from bot.core.i18n import _


class FewshotError(Exception):
    """The base of all: `str(error)` is one plain sentence, free of secrets, that says what to do next.

    Made with the English sentence and its values by name; worded when it is read, in the reader's language.
    """

    def __init__(self, sentence: str = "", /, **values: object) -> None:
        super().__init__(sentence)
        self.sentence, self.values = sentence, values

    def __str__(self) -> str:
        return _(self.sentence, **self.values)


class InputError(FewshotError):
    """What the person sent cannot be used: empty, too long, of the wrong kind."""


class NotAllowedError(FewshotError):
    """The person may not do this here."""


class NotFoundError(FewshotError):
    """What the person named is not there, or not there any more."""


class LimitError(FewshotError):
    """A limit on tokens or money is reached; the sentence says when it frees up."""


class TemplateError(FewshotError):
    """A template is malformed, or cannot be filled: every problem in one sentence, with the file's name."""


class ModelError(FewshotError):
    """The model could not be asked, or its answer could not be used."""


class NoModelError(ModelError):
    """No language model is connected and the stand-in has no skill for this request.

    `request` is what would have been sent (`bot.llm.request.Request`), where that is known.
    """

    request: object | None = None


class ReplyError(ModelError):
    """The model answered, but not in the form that the template asks for."""


class ConfigError(FewshotError):
    """A setting is missing or wrong; the sentence names it. For the operator."""


class StorageError(FewshotError):
    """The database cannot be used. For the operator."""
