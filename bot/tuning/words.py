"""Texts reduced for comparison: to their words in lower case, without punctuation, in every script."""

import hashlib
import unicodedata

from bot.core.words import WORD

# The refusal of a corpus whose rows hold none. Refusals are compared as texts, and so never translated.
REFUSAL = "I don't have this in the records of {corpus}."
# The stand-in's answer where the facts in a prompt do not tell; it counts as a refusal.
STAND_IN_REFUSAL = "None of the facts given answers that."


def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that make a text without a question mark a question, or a request for an answer: English, German, French.
ASKING = _vocabulary(
    "who whom whose what which when where why how is are was were do does did can could will would has have had "
    "name tell give list say explain describe show find state identify mention recall write translate recommend sing "
    "compare calculate compute solve help please make draw draft summarize sum count rank spell define "
    "wer wen wem wessen was welche welcher welches welchen welchem wann wo wohin woher warum wieso weshalb wie "
    "ist sind war waren hat haben hatte kann nenne nenn sag sage erkläre gib beschreibe zeige "
    "qui que quoi quel quelle quels quelles quand où pourquoi comment combien est sont était a ont nomme nommez dis "
    "dites donne donnez cite citez explique décris"
)
# Words that stand for a number, and words that stand for a time.
NUMBERS = _vocabulary(
    "no none zero nobody nothing one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred "
    "hundreds thousand thousands million millions billion dozen dozens half both all every each several many few some "
    "single once twice thrice double pair couple first second third last only another "
    "kein keine keiner null ein eine einer einen zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig "
    "dreißig vierzig fünfzig hundert tausend dutzend beide alle mehrere viele wenige einmal zweimal dreimal "
    "aucun aucune zéro un une deux trois quatre cinq six sept huit neuf dix onze douze vingt trente quarante cinquante "
    "cent mille douzaine tous toutes plusieurs quelques"
)
TIMES = _vocabulary(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday morning noon afternoon evening night midnight dawn dusk day days week weeks month "
    "months year years century hour hours minute minutes second seconds today yesterday tomorrow now then never always "
    "spring summer autumn fall winter before after during since until till while when as at just later earlier soon "
    "immediately beginning start end final opening lap laps daily weekly monthly yearly early late "
    "januar februar märz mai juni juli oktober dezember montag dienstag mittwoch donnerstag freitag samstag sonntag "
    "morgen mittag nachmittag abend nacht tag tage woche monat jahr stunde minute heute gestern jetzt nie immer "
    "frühling sommer herbst vor nach während seit bis als wenn beim sobald anfang ende täglich "
    "janvier février mars avril juin juillet août septembre octobre novembre décembre lundi mardi mercredi jeudi "
    "vendredi samedi dimanche matin midi soir nuit jour jours semaine mois an ans année heure aujourd'hui hier demain "
    "maintenant jamais toujours printemps été automne hiver avant après pendant depuis jusque lorsque quand début fin"
)


_ARTICLES = frozenset(["a", "an", "the"])
# Words that an answer may add to its quote without claiming anything; in other languages a person decides.
SMALL = _vocabulary(
    "a an and are as at because by for from he her his in is it its of off on over s she that the their they through "
    "to was were with"
)


def words(text: str) -> list[str]:
    """The words of `text`, without apostrophes."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return [word.replace("'", "") for word in WORD.findall(plain)]


def sentence_key(text: str) -> tuple[str, ...]:
    """A key that is equal for texts with the same words in the same order."""
    return tuple(words(text))


def bag_key(text: str) -> tuple[str, ...]:
    """A key that is equal for texts with the same words in any order."""
    return tuple(sorted(words(text)))


def same_answer(answer: str, expected: str) -> bool:
    """Whether two answers are equal, ignoring articles, capitals and punctuation."""
    return without_articles(answer) == without_articles(expected)


def squeezed(text: str) -> str:
    """`text` with single spaces, so that a line break inside a sentence makes no difference."""
    return " ".join(text.split())


def digest(*parts: str) -> str:
    """A hexadecimal SHA-256 of `parts`, equal in every process."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def without_articles(text: str) -> list[str]:
    """The words of `text`, without English articles."""
    return [word for word in words(text) if word not in _ARTICLES]
