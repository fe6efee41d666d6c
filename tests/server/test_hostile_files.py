"""Files from hostile or unlucky people: each is read fast, or refused with a sentence."""

import io
import json

import pytest
from PIL import Image

from bot.core.attached_picture import read_picture
from bot.core.errors import FewshotError, InputError
from bot.server.privacy import INSTRUCTION_PROMPT, _without_words
from bot.server.prompt_files import read_prompt_file
from bot.server.trick_form import read_trick

PROMPT = 'prompts: ["say {{text}}"]\n'
# Files that no trick can be made from.
REFUSED = {
    "nested for hours": f"{PROMPT}x: {'[' * 100_000}",
    "nested in blocks": "\n".join(" " * depth + "a:" for depth in range(900)),
    "too many parts": f"{PROMPT}x:\n" + "- a\n" * 60_000,
    "no character of Unicode": f'{PROMPT}x: "\\UFFFFFFFF"',
    "a number too long to print": f"{PROMPT}x: 1:{':'.join(['59'] * 3000)}",
    "a list as a name": f"? [a, b]\n: c\n{PROMPT}",
    "an endless number in the schema": json.dumps(
        {"instructions": "x", "text": {"format": {"type": "json_schema", "schema": {"enum": [1]}}}}
    ).replace("[1]", "[1e400]"),
    "names of numbers": '1: [{role: user, content: "{{a}}"}]\ntop_p: {}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_trick_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(FewshotError):
        read_trick(read_prompt_file(REFUSED[name]).template, "trick")


@pytest.mark.parametrize(
    ("extra", "left_out"),
    [("1: 2\nnull: 3\n", ["1", "null"]), ("providers: !!set {a}\n", ["providers"]), ("sharing: .inf\n", ["sharing"])],
)
def test_what_json_does_not_have_is_left_out_by_name(extra: str, left_out: list[str]) -> None:
    found = read_prompt_file(PROMPT + extra)
    assert found.left_out == left_out
    assert read_trick(found.template, "trick").before == "say "


@pytest.mark.parametrize(
    "text", [r'{"instructions": "a\u0000b\\u0000"}', "prompts: [x]\n" r'description: "a\0b\\u0000"']
)
def test_null_characters_which_postgresql_does_not_store_are_removed(text: str) -> None:
    assert read_prompt_file(text).template["about"] == r"ab\u0000"


def test_an_empty_chat_becomes_a_prompt_that_is_the_input() -> None:
    found = read_prompt_file("description: repeats\nprompts: ['[]']\n")
    assert read_trick(found.template, "trick").input == "input"


def test_a_picture_whose_notes_about_itself_are_broken_is_refused() -> None:
    notes = Image.Exif()
    notes[0x0112], notes[0x010F] = 6, "a camera"
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG", exif=notes)
    # The camera's name becomes the width.
    broken = plain.getvalue().replace(b"\x01\x0f\x00\x02", b"\x01\x00\x00\x02")
    with pytest.raises(InputError, match="broken"):
        read_picture(broken, "a.jpg")


def test_the_words_of_an_outdated_trick_can_be_erased() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "my words"}], "max_tokens": 1})
    assert "my words" not in (left := _without_words(body))
    assert INSTRUCTION_PROMPT in left
