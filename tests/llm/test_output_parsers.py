"""Replies are parsed into the type that a template asks for; anything else is an error with a sentence."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
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
        ("**4**: friendly but slow", 4),
        ("4：friendly but slow", 4),
        ("Rating: 4: friendly but slow", 4),
        ("**Rating:** 4/5 – friendly", 4),
        ("My rating (1-5) is 4: friendly", 4),
        ("Rating: 4\nReason: friendly", 4),
        ("Here is my rating:\n\n4: friendly", 4),
        ("Bewertung: 4 Sterne – nett", 4),
        ("- 4: friendly", 4),
        ("[4]: friendly", 4),
        ("„4“: friendly", 4),
        ("<b>4</b>: friendly", 4),
        ("４: friendly", 4),
        ("4️⃣: friendly", 4),
        ("★★★★☆ friendly", 4),
        ("⭐️⭐️⭐️⭐️: friendly", 4),
        ("4 out of 5: friendly", 4),
        ("4 stars because it is friendly", 4),
        ('{"stars": 4, "reason": "friendly"}', 4),
        ("{'rating': 4, 'why': 'friendly'}", 4),
        ('{"stars": 4.5, "reason": "in between"}', None),
        ('{"stars": 6, "reason": "too much"}', None),
        ('{"stars": true, "reason": "odd"}', None),
        ('{"stars": 4}', None),
        ("4,5: in between", None),
        ("I would give it a 4: friendly", 4),
        ("Rating 4 out of 5: friendly", 4),
        ("Ich gebe 4 Sterne: nett", 4),
        ("4 (out of 5): friendly", 4),
        ("4 ⭐: friendly", 4),
        ("4-star: friendly", 4),
        ("4 | friendly", 4),
        ("4 → friendly", 4),
        ("4:30 was the time of the call", None),
        ("5-star review? No. 2: slow", None),
        ("Room 4: dirty", None),
        ("The review is 2 years old. 4: friendly", None),
        ("3½: in between", None),
        ("3 or 4: in between", None),
        ("4, maybe 5: in between", None),
        ("between 3 and 4: in between", None),
        ("4–5: in between", None),
        ("-4: negative", None),
        ("4/10: of another scale", None),
        ("3/4: of another scale", None),
        ("★★★★★★: too much", None),
        ("Rating: 4.5: in between", None),
        ("Is it 5 or 2: hm.", None),
    ],
)
def test_a_rating_is_one_number_from_one_to_five_and_a_reason(text: str, stars: int | None) -> None:
    if stars is None:
        with pytest.raises(ReplyError, match="1 to 5"):
            parse_rating(text)
    else:
        assert parse_rating(text).stars == stars


@pytest.mark.parametrize(
    "text",
    [
        "**4**: friendly but slow",
        "Rating: 4\nReason: friendly but slow",
        "４：friendly but slow",
        "**4: friendly but slow**",
        "“4: friendly but slow”",
        "`4: friendly but slow`",
    ],
)
def test_what_surrounds_the_number_is_not_in_the_reason(text: str) -> None:
    assert parse_rating(text) == Rating(4, "friendly but slow")


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
    ("text", "name"),
    [
        ('I followed the form {facts, unanswerable} as asked: {"name": "x"}', "x"),
        ('{"other": 1}\n{"name": "x"}', "x"),
        ('{"name": "x",}', "x"),
        ('{"list": ["…?",], "name": "x",}', "x"),
        ("{'name': 'x'}", "x"),
        ("{'name': 'it\\'s', 'ok': True, 'none': None}", "it's"),
        ('{"name": "it\\\'s"}', "it's"),
        (r'{"name": "It is \sigma"}', r"It is \sigma"),
        (r'{"name": "$v = \frac{d}{t}$"}', r"$v = \frac{d}{t}$"),
        (r'{"name": "\beta \times \theta \nu \rho \upsilon"}', r"\beta \times \theta \nu \rho \upsilon"),
        (r'{"name": "C:\\new\\table"}', r"C:\new\table"),
        (r'{"name": "a\tb\nnext \u00e4 \"q\" \/"}', 'a\tb\nnext ä "q" /'),
        ('{"name": "one\ntwo"}', "one\ntwo"),
        ('{"name": "x", // the name\n "more": 1}', "x"),
        ('{ /* here */ "name": "x" }', "x"),
        ('{name: "x"}', "x"),
        ("{“name”: “x”}", "x"),
        ('{"name": "say "hi" now"}', 'say "hi" now'),
        (r"""{'name': 'say \"hi\" now',}""", 'say "hi" now'),
        (r"""{"name": "a\\'",}""", r"a\'"),
        ('{"name": "x" "more": 2}', "x"),
    ],
)
def test_what_json_plainly_means_is_read(text: str, name: str) -> None:
    assert parse_json(text, NAMED)["name"] == name


WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=12) | st.sampled_from(
    ["", "What's {x}?", 'say "hi"', "\\sigma {", "] # }", "// no", "http://x.y", "/* a */", "True", "a: b,"]
)
OBJECTS = st.dictionaries(WORDS, st.lists(WORDS, max_size=3) | WORDS | st.none() | st.booleans(), max_size=4)


def sloppy(value: Any, comment: str = "") -> str:
    """JSON with a comma before every closing bracket, and `comment` behind every member."""
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}: {sloppy(item, comment)}, {comment}" for name, item in value.items())
        return "{" + "".join(members) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"{sloppy(item, comment)}, {comment}" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(OBJECTS)
@example({"": "\\'"})
def test_every_object_is_read_from_each_of_the_usual_mistakes(data: dict[str, Any]) -> None:
    whole = {"name": "x", **data} if not isinstance(data.get("name"), str) else data
    whole = {**whole, "name": str(whole["name"])}
    for text in (
        json.dumps(whole),
        f"I followed the form {{name, more}}: {json.dumps(whole, indent=2)} {{ok}}",
        sloppy(whole),
        sloppy(whole, "// don't {\n"),
        sloppy(whole, '/* " ] */'),
        repr(whole),
    ):
        assert parse_json(text, NAMED) == whole


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "list": [1, 2',
        '{"name": "x"',
        '{"list": [{"name": "x"}, {"name": "y"}',
        "{'list': [{'name': 'x'}, {'name': 'y'",
        '{"more": {"name": "x"}, "name": "cut o',
        '{"name": "x", "empty": }',
    ],
)
def test_json_that_is_cut_off_is_refused(text: str) -> None:
    for schema in (NAMED, {"type": "object"}):
        with pytest.raises(ReplyError):
            parse_json(text, schema)


@pytest.mark.parametrize(
    "text",
    [
        "<FACTS " * 15_000,
        "<FACTS>" * 10_000 + "</FACTS>" * 10_000,
        "{" * 100_000,
        "{a} " * 20_000,
        '{"a":' + "[" * 50_000,
        '{"a": "' + "\\" * 100_001,
        "[" * 60_000,
        "```\n" + "\n" * 100_000,
        "*" * 100_000,
        "Rating: " * 15_000,
    ],
)
@pytest.mark.parametrize("kind", ["rating", "facts", "json"])
def test_a_long_text_of_no_form_is_refused_soon(text: str, kind: str) -> None:
    with pytest.raises(ReplyError):
        parse(text, kind, NAMED)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"name": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": {}}},
        {"properties": {"name": {"items": [{"uniqueItems": True}]}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"type": "object"}]}}},
        {"unevaluatedProperties": False},
        {"properties": {f"p{number}": {"type": "string"} for number in range(1_500)}},
    ],
)
def test_a_schema_that_could_take_long_is_not_run(schema: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match="schema"):
        parse_json('{"name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}', schema)


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
    assert parse_json('{"pattern": "x"}', schema) == {"pattern": "x"}


@pytest.mark.parametrize(
    "schema",
    [{"type": "objekt"}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:9/schema"}, {"$ref": "#"}, {"pattern": "("}],
)
def test_a_schema_that_cannot_be_used_is_the_templates_fault(schema: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match="schema"):
        parse_json('{"name": "x"}', {"properties": {"name": schema}} if "pattern" in schema else schema)


@pytest.mark.parametrize("kind", ["text", "rating", "facts", "json"])
@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_text_is_refused(kind: str, text: str) -> None:
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


@pytest.mark.parametrize("text", ["**4**: a **bold** word**", '"4": they said "no"', "*4*: so *nice*"])
def test_marks_that_belong_to_the_reason_stay(text: str) -> None:
    assert parse_rating(text).reason == text.partition(": ")[2]
