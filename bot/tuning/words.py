"""Words as questions and answers are compared by: lower case, no punctuation, in every script."""

import hashlib
import unicodedata

from bot.core.words import WORD

_ARTICLES = frozenset(["a", "an", "the"])
# Words that an answer may add to its quote without claiming anything; other languages are judged by the person.
_SMALL = (
    "a,an,and,are,as,at,because,by,for,from,he,her,his,in,is,it,its,of,off,on,over,s,she,that,the,their,they,"
    "through,to,was,were,with"
)
SMALL = frozenset(_SMALL.split(","))


def words(text: str) -> list[str]:
    """The words of `text`, without apostrophes."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return [word.replace("'", "") for word in WORD.findall(plain)]


def sentence_key(text: str) -> tuple[str, ...]:
    """Equal for texts that say the same words in the same order."""
    return tuple(words(text))


def bag_key(text: str) -> tuple[str, ...]:
    """Equal for texts of the same words in any order."""
    return tuple(sorted(words(text)))


def same_answer(said: str, wanted: str) -> bool:
    """Whether two answers are the same, articles, capitals and punctuation aside."""
    return _bare(said) == _bare(wanted)


def digest(*parts: str) -> str:
    """A name for `parts`, the same in every process."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _bare(text: str) -> list[str]:
    return [word for word in words(text) if word not in _ARTICLES]
