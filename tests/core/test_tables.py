"""Tables as spreadsheets, exports and people write them."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import InputError
from bot.core.tables import decode, entries

BOM = "\ufeff"


def read(data: bytes, name: str = "reviews.csv", max_length: int = 6_000) -> list[str]:
    return entries(decode(data, name), name, column="review", max_length=max_length)


DIALECTS: dict[str, tuple[bytes, list[str]]] = {
    # The inputs of public reports.
    "semicolons and BOM": (
        f"{BOM}id;review;date\r\n1;Lovely place;2026-01-01\r\n2;Bad, very bad;2026-01-02\r\n".encode(),
        ["Lovely place", "Bad, very bad"],
    ),
    "tabs": (b"id\treview\n1\tLovely place\n2\tAwful\n", ["Lovely place", "Awful"]),
    "sep=,": (b"sep=,\r\nreview,id\r\nLovely place,1\r\n", ["Lovely place"]),
    "sep=;": (b"sep=;\r\nid;review\r\n1;Lovely, really\r\n", ["Lovely, really"]),
    "no review": (b"id,text\n1,Lovely place\n2,Awful\n", ["Lovely place", "Awful"]),
    "UTF-16": ("review\nLovely place\n".encode("utf-16"), ["Lovely place"]),
    # More of the kind.
    "UTF-16 without BOM": ("id;review\r\n1;Schöner Ort\r\n".encode("utf-16-le"), ["Schöner Ort"]),
    "UTF-16-BE": (f"{BOM}id\treview\r\n1\tLovely\r\n".encode("utf-16-be"), ["Lovely"]),
    "UTF-32": ("review\nLovely place\n".encode("utf-32"), ["Lovely place"]),
    "cp1252": (
        "Nr;Rezension\r\n1;Schöner Ort – größer „als“ gedacht, 5 €\r\n".encode("cp1252"),
        ["Schöner Ort – größer „als“ gedacht, 5 €"],
    ),
    "cp1252 in French": (
        "date;avis\r\n01/02/2026;C'était très bon, à bientôt\r\n".encode("cp1252"),
        ["C'était très bon, à bientôt"],
    ),
    "cp1251": (
        "id;отзыв\r\n1;Отличное место, вернусь снова с друзьями\r\n2;Ужасно, никогда больше сюда не пойду\r\n".encode(
            "cp1251"
        ),
        ["Отличное место, вернусь снова с друзьями", "Ужасно, никогда больше сюда не пойду"],
    ),
    "decimal commas": (b"id;price;review\n1;4,5;Nice\n2;3,5;Bad\n", ["Nice", "Bad"]),
    "pipes": (b"id|review\n1|Good; really\n2|Bad, and dear\n", ["Good; really", "Bad, and dear"]),
    "quotes and line breaks": (
        b'id;review\n1;"Two\nlines; and ""quotes"""\n2;Bad\n',
        ['Two\nlines; and "quotes"', "Bad"],
    ),
    "separators that were not quoted": (
        b"id,review,stars\n1,Good, cheap, near,5\n2,Bad,1\n",
        ["Good, cheap, near", "Bad"],
    ),
    "one column with commas": (b"review\nGood, cheap\nBad, dear\n", ["Good, cheap", "Bad, dear"]),
    "no header": (b"1,Lovely place,2026-01-01\n2,Awful,2026-01-02\n", ["Lovely place", "Awful"]),
    "no header, prose alone": (b"Good, cheap\nBad, very dear\n", ["Good, cheap", "Bad, very dear"]),
    "a header that says nothing": (b"foo,bar\n1,Lovely place\n2,Awful\n", ["Lovely place", "Awful"]),
    "ids and places": (
        b"code;place;what guests say\nA-1;Rome;Lovely place\nA-2;Paris;Not at all nice\n",
        ["Lovely place", "Not at all nice"],
    ),
    "a title above": (b"Export of 2026;;\n;;\nid;Review Text;date\n1;Lovely;2026-01-01\n", ["Lovely"]),
    "a quote that never ends": (b'id,review\n1,"Good\n2,Bad\n', ["”Good", "Bad"]),
    "spaces behind separators": (b'id, review\n1, "Lovely, really"\n2, Awful\n', ["Lovely, really", "Awful"]),
    "carriage returns alone": (b"id;review\r1;Lovely\r2;Awful\r", ["Lovely", "Awful"]),
    "short rows": (b"id;review\n1;Lovely\n2\n;\n3;Awful\n", ["Lovely", "Awful"]),
    "empty table": (b"review;stars\n", []),
    "stars as signs": ("stars;said\n★★★★★;Lovely place\n★;Awful\n".encode(), ["Lovely place", "Awful"]),
    "no header, sentences and words": (
        b"Lovely place,good\nAwful place,bad\nNo,no\n",
        ["Lovely place", "Awful place", "No"],
    ),
    "the time stamps of a form": (
        b'"Timestamp","What did you think?"\n"2026/01/01 10:00:00 AM GMT+1","Nice, thanks"\n'
        b'"2026/01/02 9:05:00 PM GMT+1","Bad"\n',
        ["Nice, thanks", "Bad"],
    ),
    "dates in words": (
        b"when;what\n5. Januar 2026, 10:00 Uhr;Lovely place\nMarch 5th, 2026;Awful\nMo, 5 mai 2026;Fine\n",
        ["Lovely place", "Awful", "Fine"],
    ),
    "stars in a column called review": (b"id,review,text\n1,5,Lovely place\n2,1,Awful\n", ["Lovely place", "Awful"]),
    "stars alone in a column called review": (b"id,review\n1,5\n2,1\n", ["5", "1"]),
    "one column whose header is two words": (b"Guest reviews\nNice place\nBad\n", ["Nice place", "Bad"]),
    "one column whose header is a compound": (
        "Kundenmeinungen\nSchöner Ort\nSchlecht\n".encode(),
        ["Schöner Ort", "Schlecht"],
    ),
    "Latin-9": ("id;review\n1;Très cher: 50 €\n".encode("iso-8859-15"), ["Très cher: 50 €"]),
    "sep= behind a BOM": (f"{BOM}sep=;\r\nid;review\r\n1;Gut\r\n".encode(), ["Gut"]),
    "sep= in UTF-16": ("sep=\t\r\nid\treview\r\n1\tGut\r\n".encode("utf-16"), ["Gut"]),
    "an index without a name": (b",review\n0,Lovely\n1,Awful\n", ["Lovely", "Awful"]),
    "links and mails": (
        b"url,mail,said\nhttps://a.b/c,a@b.c,Lovely place\nhttps://a.b/d,d@b.c,Awful\n",
        ["Lovely place", "Awful"],
    ),
}


@pytest.mark.parametrize(("data", "wanted"), DIALECTS.values(), ids=DIALECTS)
def test_only_the_column_of_texts_is_read_from_every_dialect(data: bytes, wanted: list[str]) -> None:
    assert read(data) == wanted


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"name;town\nAnna;Rome\nBert;Paris\n", "several that could be meant (name, town)"),
        (b"Rome,Lovely\nParis,Awful\n", "several columns and no header"),
        (b"id,stars\n1,5\n2,4\n", "no column of texts"),
        (b"\xff\xfea", "cannot be read as UTF-16"),
        ("素晴らしい場所\n".encode("shift_jis"), "The encoding of the file reviews.csv is not known"),
        (b"review\n\x00\x01\x02\x00\x07abc", "is not a text"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert sentence in str(caught.value)


def test_the_lines_of_a_text_file_are_entries_unless_it_is_a_spreadsheets_text() -> None:
    assert read(b"one\r\n\n  two, and more; really \n\n", "r.txt") == ["one", "two, and more; really"]
    assert read("id\treview\r\n1\tLovely\r\n".encode("utf-16"), "r.txt") == ["Lovely"]
    assert read(b"sep=;\nid;review\n1;Lovely\n", "r.txt") == ["Lovely"]
    assert read(b"Good\tvery good\nBad\n", "r.txt") == ["Good\tvery good", "Bad"]


def test_an_entry_that_is_too_long_is_named_by_its_number() -> None:
    with pytest.raises(InputError, match="Entry 2 has 200,000 characters; up to 6,000"):
        read(b"review\nshort\n" + b"x" * 200_000)


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), min_size=1), max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_table_that_a_spreadsheet_writes_is_read_back(reviews: list[str], separator: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(
        [["id", "review"], *([str(n), text] for n, text in enumerate(reviews))]
    )
    kept = [review.strip() for review in reviews if review.strip()]
    assert read(out.getvalue().encode(), max_length=10_000) == kept


@pytest.mark.parametrize(
    "data",
    [
        b"id;review\n" + b"1;" + b"x" * 1_000_000,
        b'"' * 999_999,
        b'review\n"' + b"a,b;c\t" * 160_000,
        b"review\n" + b"a,;\t|\n" * 160_000,
        b"\n" * 1_000_000,
        b"," * 1_000_000,
        b"id,text\n" + b"1 " * 500_000,
        ("review\n" + "Schöner Ort, größer;\n" * 40_000).encode("cp1252"),
        b"review\n" + bytes(range(0x80, 0xFF)) * 8_000,
    ],
    ids=range(9),
)
def test_a_megabyte_of_any_shape_is_read_or_refused(data: bytes) -> None:
    with suppress(InputError):
        assert sum(map(len, read(data, max_length=10_000_000))) <= len(data)
