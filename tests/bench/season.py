"""Generate a racing season: facts, questions about them in several wordings, and unanswerable questions.

The same seed gives the same season. Held-out wordings are chosen at random:

- each relation has twelve wordings. Three are never trained: two combine words of the known wordings in a new way,
  one has a word that the known wordings do not use;
- each fact is trained in some of the known wordings, and asked in another known one (`unseen`), in one of the two new
  ones (`wordings`), and in the one with a new word (`new_words`), which a model without language cannot know;
- `noisy`: the unseen questions in lower case, without punctuation, with one typo;
- half of the unanswerable topics are trained, each with some names; `refusals` asks them with other names, `strange`
  asks the other half.
"""

import random
import re
import string
from dataclasses import dataclass, field

from tests.bench import wordings

REFUSAL = "I don't have this."
NEW = 2
"""Wordings of each relation that are never trained, although all their words are."""
POLITE = 0.2
"""The share of questions that begin with a polite phrase."""

Pair = tuple[str, str]
Row = dict[str, list[dict[str, str]]]


@dataclass
class Season:
    """Question and answer pairs by purpose."""

    facts: int = 0
    train: list[Pair] = field(default_factory=list)
    unseen: list[Pair] = field(default_factory=list)
    wordings: list[Pair] = field(default_factory=list)
    new_words: list[Pair] = field(default_factory=list)
    noisy: list[Pair] = field(default_factory=list)
    refusals: list[Pair] = field(default_factory=list)
    strange: list[Pair] = field(default_factory=list)

    def tests(self) -> dict[str, list[Pair]]:
        """All test sets by name."""
        names = ("train", "unseen", "wordings", "new_words", "noisy", "refusals", "strange")
        return {name: getattr(self, name) for name in names}


def as_row(pair: Pair) -> Row:
    """A pair as a chat training row."""
    question, answer = pair
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def season(seed: int, pilots: int = 7, races: int = 8, trained: int = 3, refused: float = 0.18) -> Season:
    """A season of that many pilots and races: 164 facts with 7 and 8, 507 with 12 and 17.

    Facts that are asked in both directions (where did she finish, who finished third) count once. `trained`: wordings
    of each direction in `train`; `refused`: the share of refusals in `train`.
    """
    rng = random.Random(seed)
    made = Season()
    facts = _facts(rng, pilots, races)
    made.facts = sum(relation not in wordings.OTHER_END for relation, _ in facts)
    known, new, with_new_word = {}, {}, {}
    for relation, text in wordings.WORDINGS.items():
        known[relation], new[relation], with_new_word[relation] = _held_out(wordings.lines(text), rng)
    for relation, names in facts:
        answer = wordings.ANSWERS[relation].format(**names)
        forms = rng.sample(known[relation], len(known[relation]))
        made.train += [(_asked(form, names, rng), answer) for form in forms[:trained]]
        made.unseen.append((_asked(forms[trained], names, rng), answer))
        made.wordings.append((_asked(rng.choice(new[relation]), names, rng), answer))
        made.new_words += [(_asked(form, names, rng), answer) for form in with_new_word[relation]]
    made.noisy = [(with_typo(question, rng), answer) for question, answer in made.unseen]
    _refusals(made, rng, facts, round(len(made.train) * refused / (1 - refused)))
    rng.shuffle(made.train)
    return made


def _held_out(forms: list[str], rng: random.Random) -> tuple[list[str], list[str], list[str]]:
    """The known wordings, new ones of known words, and, if there is one, one with a new word."""
    rng.shuffle(forms)
    with_new_word = [form for form in forms if not _covered([form], forms)][:1]
    known = [form for form in forms if form not in with_new_word]
    new: list[str] = []
    for form in list(known):
        if len(new) < NEW and _covered([*new, form], known):
            new.append(form)
            known.remove(form)
    return known, new, with_new_word


def _covered(some: list[str], forms: list[str]) -> bool:
    """Whether every word of `some` is in one of the other forms."""
    others = {word for form in forms if form not in some for word in re.findall(r"\w+", form.lower())}
    return all(word in others for form in some for word in re.findall(r"\w+", form.lower()))


def _asked(form: str, names: dict[str, str], rng: random.Random) -> str:
    """A wording filled in; one of five begins with a polite phrase."""
    question = form.format(**names)
    return f"{rng.choice(wordings.POLITE_PHRASES)} {question}" if rng.random() < POLITE else question


def _facts(rng: random.Random, pilots: int, races: int) -> list[tuple[str, dict[str, str]]]:
    """Relation and names of each fact."""
    people = [f"{first} {last}" for first, last in zip(*_names(rng, 2, pilots), strict=True)]
    pods = rng.sample([f"The {a} {b}" for a in wordings.COLOURS for b in wordings.BEASTS], pilots)
    homes, mechanics, places = _names(rng, 3, max(pilots, races))
    names_of_kinds = _draw(rng, wordings.KINDS, races)
    courses = [f"{place} {kind}" for place, kind in zip(places[:races], names_of_kinds, strict=True)]
    season_order = rng.sample(range(pilots), pilots)
    facts = []
    for i, person in enumerate(people):
        names = {"pilot": person, "pod": pods[i], "home": homes[i], "mechanic": mechanics[i]}
        names["rank"] = wordings.RANKS[season_order[i]]
        facts += [(relation, names) for relation in wordings.OF_A_PILOT]
    deeds = rng.sample([f"{deed} {where}" for deed in wordings.DEEDS for where in wordings.WHERE], pilots * races)
    weathers, lengths = _draw(rng, wordings.WEATHERS, races), rng.sample(range(21, 99), races)
    for j, course in enumerate(courses):
        names = {
            "race": course,
            "number": wordings.RANKS[j],
            "length": str(lengths[j]),
            "weather": weathers[j],
        }
        facts += [(relation, names) for relation in wordings.OF_A_RACE]
        order = rng.sample(range(pilots), pilots)
        for i, person in enumerate(people):
            names = {"pilot": person, "race": course, "rank": wordings.RANKS[order[i]]}
            names["deed"] = deeds[j * pilots + i]
            facts += [(relation, names) for relation in wordings.OF_BOTH]
    return facts


def _refusals(made: Season, rng: random.Random, facts: list[tuple[str, dict[str, str]]], wanted: int) -> None:
    """Add unanswerable questions: half of the topics are trained."""
    pilots = sorted({names["pilot"] for _, names in facts if "pilot" in names})
    races = sorted({names["race"] for _, names in facts if "race" in names})
    strangers = [f"{a} {b}" for a, b in zip(*_names(rng, 2, 60), strict=True)]

    def ask(topic: str) -> str:
        names = {"pilot": rng.choice(pilots), "race": rng.choice(races), "stranger": rng.choice(strangers)}
        return _asked(topic, names, rng)

    topics = wordings.lines(wordings.UNANSWERABLE)
    rng.shuffle(topics)
    half = len(topics) // 2
    asked = dict.fromkeys(ask(topics[i % half]) for i in range(wanted * 8))
    questions = list(asked)
    rng.shuffle(questions)
    made.train += [(question, REFUSAL) for question in questions[:wanted]]
    made.refusals = [(question, REFUSAL) for question in questions[wanted : wanted + 60]]
    made.strange = [(ask(topic), REFUSAL) for topic in topics[half:] for _ in range(2)]
    made.strange = list(dict.fromkeys(made.strange))


def with_typo(question: str, rng: random.Random) -> str:
    """Lower case, no punctuation, and one typo in a word of four letters or more."""
    words = "".join(c for c in question.lower() if c.isalnum() or c == " ").split()
    at = rng.choice([i for i, word in enumerate(words) if len(word) >= 4])
    word, i = words[at], rng.randrange(1, len(words[at]) - 1)
    other = rng.choice(string.ascii_lowercase)
    words[at] = rng.choice(
        [
            word[:i] + word[i + 1 :],
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[:i] + other + word[i:],
            word[:i] + other + word[i + 1 :],
        ]
    )
    return " ".join(words)


def _draw(rng: random.Random, choices: list[str], count: int) -> list[str]:
    """`count` random choices; all are drawn once before any is drawn twice."""
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += rng.sample(choices, min(len(choices), count - len(drawn)))
    return drawn


def _names(rng: random.Random, columns: int, count: int) -> list[list[str]]:
    """Columns of generated names without repetition."""
    seen: dict[str, None] = {}
    while len(seen) < columns * count:
        syllables = rng.choice(wordings.OPENINGS) + rng.choice(wordings.MIDDLES) + rng.choice(wordings.ENDINGS)
        seen.setdefault(syllables.capitalize())
    names = list(seen)
    return [names[i * count : (i + 1) * count] for i in range(columns)]
