"""Replies are parsed into the type that a template promises; anything else is a sentence."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import ReplyError, TemplateError
from bot.llm.output_parsers import Facts, Rating, parse, parse_facts, parse_json, parse_rating

MOON = '<FACTS entity="the Moon"><FACT>It is round.</FACT><FACT>It is far.</FACT></FACTS>'
NAMED: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        ("4: Good.", 4),
        ("  5 : Great!\n", 5),
        ("1 - Awful", 1),
        ("2. Meh", 2),
        ("3/5: Fine", 3),
        ("**4 stars**", None),
        ("4 stars – quick delivery", 4),
        ("```\n4: Good.\n```", 4),
        ("5: 2 of them arrived, both intact", 5),
        ("0: nothing", None),
        ("6: too much", None),
        ("10: far too much", None),
        ("4.5: in between", None),
        ("3-4: in between", None),
        ("4:", None),
        ("Good, 4: yes", None),
        ("four: good", None),
    ],
)
def test_a_rating_is_one_to_five_and_a_reason(text: str, stars: int | None) -> None:
    if stars is None:
        with pytest.raises(ReplyError, match="1 to 5"):
            parse_rating(text)
    else:
        assert parse_rating(text).stars == stars


@given(st.integers(1, 5), st.text(st.characters(categories=["L"]), min_size=1), st.text())
def test_the_reason_stays_word_for_word(stars: int, first: str, rest: str) -> None:
    assert parse_rating(f"{stars}: {first}{rest}") == Rating(stars, (first + rest).strip())


@pytest.mark.parametrize("around", ["{}", "```xml\n{}\n```", "Here you are:\n\n{}\n\nAnything else?"])
def test_facts_are_found_alone_fenced_or_inside_text(around: str) -> None:
    found = parse_facts(around.format(MOON))
    assert found == Facts("the Moon", ("It is round.", "It is far."), MOON)


def test_characters_that_xml_escapes_come_back_as_themselves() -> None:
    found = parse_facts('<FACTS entity="R&amp;D"><FACT>2 &lt; 3 &#8211; &quot;so&quot;</FACT></FACTS>')
    assert (found.entity, found.facts) == ("R&D", ('2 < 3 – "so"',))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><FACTS entity="x"><FACT>&a;</FACT></FACTS>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><FACTS entity="x"><FACT>y</FACT></FACTS>',
        '<FACTS entity="x"><FACT>&nbsp;</FACT></FACTS>',
        '<FACTS entity="x"><FACT>R&D</FACT></FACTS>',
        '<FACTS entity="x"><FACT>half',
        '<FACTS entity="x"><FACT>half</FACTS>',
        '<ANSWER entity="x"><FACT>y</FACT></ANSWER>',
        '<facts entity="x"><fact>y</fact></facts>',
        "<FACTS><FACT>y</FACT></FACTS>",
        '<FACTS entity=" "><FACT>y</FACT></FACTS>',
        '<FACTS entity="x"></FACTS>',
        '<FACTS entity="x"><FACT> </FACT></FACTS>',
        '<FACTS entity="x"><NOTE>y</NOTE></FACTS>',
        f"{MOON}{MOON}",
        "I know nothing about it.",
    ],
)
def test_xml_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ReplyError):
        parse_facts(text)


@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Sure!\n{}\nDone."])
def test_json_is_found_alone_fenced_or_inside_text(around: str) -> None:
    assert parse_json(around.format('{"name": "Ärger"}'), NAMED) == {"name": "Ärger"}


@pytest.mark.parametrize(
    "text", ["", "none", "[1]", '{"name": ', "{'name': 'x'", '{"name": 5}', "{}", '{"a":' * 50_000]
)
def test_json_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ReplyError):
        parse_json(text, NAMED)


@pytest.mark.parametrize(
    "schema",
    [{"type": "objekt"}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:9/schema"}, {"$ref": "#"}, {"pattern": "("}],
)
def test_a_schema_that_cannot_be_used_is_the_templates_fault(schema: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match="schema"):
        parse_json('{"name": "x"}', {"properties": {"name": schema}} if "pattern" in schema else schema)


@pytest.mark.parametrize("kind", ["text", "rating", "facts", "json"])
@pytest.mark.parametrize("text", ["", " \n\t "])
def test_nothing_is_no_answer(kind: str, text: str) -> None:
    with pytest.raises(ReplyError, match="answered nothing"):
        parse(text, kind, {})


@given(st.text())
def test_any_text_is_a_reply_or_a_sentence(text: str) -> None:
    for kind in ("text", "rating", "facts", "json"):
        with suppress(ReplyError):
            assert parse(text, kind, NAMED)


@given(st.text('<>/FACTSentity="& ', max_size=60))
def test_any_broken_xml_is_a_reply_or_a_sentence(middle: str) -> None:
    try:
        found = parse_facts(f'<FACTS entity="x"><FACT>{middle}</FACT></FACTS>')
    except ReplyError:
        return
    assert found.entity == "x"
