"""The checker finds every planted fault, with its line, and nothing where nothing is wrong."""

import json
from pathlib import Path

import pytest

from bot.tuning import checks
from bot.tuning import rows as dataset_rows
from bot.tuning.checks import check_file
from bot.tuning.corpus import Corpora
from bot.tuning.rows import fixed, read_rows
from tests.racing.planted import PLANTED
from tests.tuning.conftest import REFUSAL, row

RACING = Path(__file__).resolve().parents[2] / "racing"
SOURCE = {"bakers.txt": " ".join(f"Baker {number} bakes bread{number} every day." for number in range(80))}


def sources() -> dict[str, str]:
    return dict(Corpora({}).get("racing").texts())


def good() -> list[object]:
    """Three hundred rows with nothing wrong: 80 facts in three wordings, 60 refusals."""
    made: list[object] = []
    for number in range(80):
        quote = f"Baker {number} bakes bread{number} every day."
        for form_ in ("What does baker {} bake?", "baker {}, which bread?", "Name the bread of baker {}."):
            made.append(row(form_.format(number), f"bread{number}", f"fact-{number}", quote))
    made += [row(f"How old is baker {number}?", REFUSAL, f"age-{number}") for number in range(60)]
    return made


def lines(rows: list[object]) -> bytes:
    """Rows as a file; what is bytes already stands as it is."""
    return b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in rows) + b"\n"


def test_nothing_is_found_in_the_seasons_questions() -> None:
    held = read_rows((RACING / "heldout.jsonl").read_bytes()).pairs
    report = check_file((RACING / "questions.jsonl").read_bytes(), sources(), held)
    assert report.findings == ()


def test_exactly_the_planted_faults_are_found_in_the_draft() -> None:
    report = check_file((RACING / "draft.jsonl").read_bytes(), sources())
    found = {(finding.kind, finding.lines) for finding in report.findings if finding.lines}
    assert found == {(fault.kind, fault.lines) for fault in PLANTED}


def test_nothing_is_found_in_three_hundred_good_rows() -> None:
    assert check_file(lines(good()), SOURCE).findings == ()


QUOTE = "Baker 3 bakes bread3 every day."
CASES: dict[str, tuple[int, object]] = {
    dataset_rows.NOT_UTF8: (12, b'{"messages": "\xff"}'),
    dataset_rows.NOT_JSON: (20, b'{"messages": ['),
    dataset_rows.SHAPE: (28, {"question": "What?", "answer": "That."}),
    checks.EMPTY: (36, row("What is it?", " ", "empty", QUOTE)),
    checks.DUPLICATE: (44, row("baker 3 which bread", "Bread3", "fact-3", QUOTE)),
    checks.CONTRADICTION: (52, row("What does baker 4 bake?", "bread3", "", QUOTE)),
    checks.UNSUPPORTED: (60, row("What does the third bake?", "cake", "cake", QUOTE)),
    checks.NO_SUCH_QUOTE: (68, row("Who bakes?", "Baker 3", "who", "Baker 3 bakes at night.")),
    checks.NO_SUCH_SOURCE: (76, {**row("Who bakes so?", "Baker 3", "so", QUOTE), "source": "../secret.txt"}),
    checks.TOO_LONG: (84, row("What do they bake?", "bread3 " * 200, "long", QUOTE)),
    checks.SECRET: (92, row("Which key?", "sk-abcdefghijklmnopqrstuvwx", "key")),
    checks.MENTION: (100, row("Who is there?", "<@123456789012345678>", "mention")),
    checks.NO_QUESTION: (116, row("Baker 3 bakes bread3 all day.", "bread3", "day", QUOTE)),
    checks.WHOLE_QUOTE: (124, row("What is there to know of baker 3?", QUOTE, "all", QUOTE)),
    checks.NO_NUMBER: (132, row("How many loaves does baker 3 bake?", "bakes", "many", QUOTE)),
    checks.LEAK: (108, row("Is the oven hot, baker?", REFUSAL, "leak")),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_planted_fault_is_found_on_its_line_and_alone(kind: str) -> None:
    line, fault = CASES[kind]
    rows = good()
    rows[line - 1] = fault
    held = read_rows(lines([row("baker, is the oven hot", REFUSAL, "leak")])).pairs
    found = check_file(lines(rows), SOURCE, held).by_kind()
    assert set(found) == {kind}
    assert any(line in finding.lines for finding in found[kind])


def test_all_faults_together_are_all_found() -> None:
    rows = good()
    for line, fault in CASES.values():
        rows[line - 1] = fault
    held = read_rows(lines([row("baker, is the oven hot", REFUSAL, "leak")])).pairs
    report = check_file(lines(rows), SOURCE, held)
    assert {(kind, line) for kind, (line, _) in CASES.items()} <= {
        (finding.kind, line) for finding in report.findings for line in finding.lines
    }


def test_a_dataset_as_a_whole_can_be_wrong() -> None:
    one_wording = [item for item in good() if "What does" in json.dumps(item)]
    kinds = check_file(lines(one_wording), SOURCE).by_kind().keys()
    assert kinds == {checks.SMALL_SET, checks.FEW_WORDINGS, checks.REFUSALS, checks.OPENING}
    assert checks.REFUSALS in check_file(lines(good()[200:]), SOURCE).by_kind()


def test_the_report_groups_by_kind_and_names_lines() -> None:
    rows = good()
    rows[11], rows[19] = b"nonsense", b"more"
    text = check_file(lines(rows), SOURCE, title="mine.jsonl").text
    assert text.startswith("mine.jsonl: 300 rows, 2 findings.")
    assert "not JSON (2)\n  Line 12 is not JSON.\n  Line 20 is not JSON." in text


def test_the_older_form_is_explained_and_written_as_messages() -> None:
    pairs: list[object] = [{"prompt": f"Who is {n}?\n\n###\n\n", "completion": f" Number {n} END"} for n in range(12)]
    report = check_file(lines(pairs))
    assert any("prompt/completion" in note for note in report.notes)
    assert any("separator" in note for note in report.notes)
    first = json.loads(fixed(lines(pairs)).text.splitlines()[0])
    assert [message["content"] for message in first["messages"]] == ["Who is 0?", "Number 0"]


def test_fixing_mends_what_needs_no_person_and_nothing_else() -> None:
    rows = good()
    rows[3:3] = [b"nonsense", row("What?", "", "empty"), rows[0]]
    mended = fixed(lines(rows)).text
    assert [json.loads(line) for line in mended.splitlines()] == good()
    assert check_file(mended.encode(), SOURCE).findings == ()


TIMED = "Baker 3 opens at noon, two doors from the mill; he and the others never close before Monday."


@pytest.mark.parametrize(
    ("question", "answer", "kinds"),
    [
        ("How many doors is it from the mill?", "two doors", set()),
        ("Wie viele Türen sind es?", "two", set()),
        ("How many doors is it from the mill?", "the mill", {checks.NO_NUMBER}),
        ("so how  many doors?", "doors from the mill", {checks.NO_NUMBER}),
        ("Combien de portes ?", "the mill", {checks.NO_NUMBER}),
        ("When does baker 3 open?", "at noon", set()),
        ("When do they close?", "never before Monday", set()),
        ("When does baker 3 open?", "the mill", {checks.NO_NUMBER}),
        ("wann öffnet Bäcker 3", "doors", {checks.NO_NUMBER}),
        ("Who opens when the mill is shut?", "Baker 3", set()),
        ("Name the baker who opens at noon.", "Baker 3", set()),
        ("baker at noon", "Baker 3", set()),
        ("Πες μου τι ψήνει.", "ψωμί", set()),
        ("何を焼くか教えてください。", "パン", set()),
        ("Baker 3 opens at noon.", "Baker 3", {checks.NO_QUESTION}),
        (TIMED, "Baker 3", {checks.NO_QUESTION}),
        ("Baker 3", "Baker 3", {checks.NO_QUESTION}),
        ("???", "Baker 3", {checks.NO_QUESTION}),
        ("I want to know about the mill!", "the mill", {checks.NO_QUESTION}),
        ("Who opens at noon?", TIMED, {checks.WHOLE_QUOTE}),
        ("Who opens at noon?", TIMED.upper().rstrip("."), {checks.WHOLE_QUOTE}),
    ],
)
def test_questions_that_ask_nothing_and_answers_that_are_none_are_found(
    question: str, answer: str, kinds: set[str]
) -> None:
    found = check_file(lines([row(question, answer, "f", TIMED)]), {"bakers.txt": TIMED}).by_kind()
    assert found.keys() & {checks.NO_QUESTION, checks.NO_NUMBER, checks.WHOLE_QUOTE} == kinds
