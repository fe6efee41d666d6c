"""Read the text and CSV files that spreadsheets, exports and people write, and write CSV files for spreadsheets.

`decode` reads UTF-8, UTF-16 and UTF-32 with or without a byte order mark, and the usual one-byte encodings. `entries`
returns the texts of a file: the lines of a .txt, or the column of texts of a table. Everything here takes time in
proportion to the file's size. Call it in a thread: 1 MB takes about 0.1 s.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bot.core.errors import InputError

TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
# Separators that Excel, LibreOffice and database exports write. Excel writes ";" where a comma is the decimal point.
SEPARATORS = (",", ";", "\t", "|")
# Longest first: the mark of UTF-32-LE begins with the mark of UTF-16-LE.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings that charset-normalizer may choose from where a file is neither in Unicode nor Western European.
OTHER_ENCODINGS = ("cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "cp949")
# Least coherence (0 to 1) of its choice: short texts have none in any encoding, and East Asian ones fit them all.
MIN_COHERENCE = 0.1
# Share of letters with accents above which a text in cp1252 is not in a Western European language.
MAX_ACCENTED = 0.5
# Bytes that are looked at to guess an encoding, and rows that are looked at to guess a separator.
SAMPLE_BYTES, SAMPLE_ROWS = 65_536, 200
# Rows above the header, such as an export's title, that are skipped.
MAX_TITLE_ROWS = 10
# Share of rows that must have the same number of cells for a separator to be believed.
MIN_REGULAR = 0.9
# Names of columns of texts, in the languages of the bot and its neighbours; the first that a table has is read.
TEXT_COLUMNS = (
    *("review", "reviews", "reviewtext", "reviewbody", "text", "texts", "comment", "comments", "feedback"),
    *("opinion", "content", "body", "message", "description", "rezension", "rezensionen", "kommentar", "kommentare"),
    *("bewertungstext", "bewertung", "meinung", "nachricht", "inhalt", "avis", "commentaire", "commentaires", "texte"),
    *("critique", "contenu", "reseña", "opinión", "comentario", "recensione", "commento", "opinie"),
)
# How the longer names of such columns end, and the words of a header at most.
TEXT_COLUMN_ENDINGS = (
    *("reviews", "review", "comment", "comments", "feedback", "kommentar", "kommentare", "rezension", "rezensionen"),
    *("bewertungen", "bewertungstext", "meinung", "meinungen", "commentaire", "commentaires", "reviewtext", "opinions"),
)
MAX_HEADER_WORDS = 3
# Names of other columns, by which a header is recognized.
OTHER_COLUMNS = frozenset(
    (
        *("id", "nr", "no", "number", "nummer", "numéro", "key", "index", "date", "datum", "time", "zeit", "heure"),
        *("stars", "sterne", "étoiles", "rating", "score", "note", "grade", "points", "punkte", "author", "autor"),
        *("auteur", "user", "username", "name", "nom", "title", "titel", "titre", "product", "produkt", "produit"),
        *("url", "link", "lang", "language", "sprache", "langue", "country", "land", "pays", "city", "ort", "ville"),
        *("email", "source", "quelle", "category", "kategorie", "catégorie", "label", "status", "created", "createdat"),
    )
)
# A time of day and its zone, as they follow a date: " 10:00:00 AM GMT+1", "T10:00:00.000Z".
_TIME = (
    r"(?:[T ,]+(?:at |um |à )?\d{1,2}[:.h]\d{2}[\d:.,]*(?: ?[AP]\.?M\.?)?(?: Uhr)?"
    r"(?: ?(?:Z|[A-Z]{2,5})?(?:[+-][\d:]{1,5})?)?)?"
)
_MONTH = r"[^\W\d]{3,10}\.?"
_DAY = r"\d{1,2}(?:\.|st|nd|rd|th|er)?"
# A cell that is no text: without a letter (numbers, prices, stars), a date, an address, or a word with digits (an id).
_NO_TEXT = re.compile(
    rf"[^a-zA-Z\u00aa-\uffff]*|[\u2600-\u27bf\ufe0f\s]*|\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}{_TIME}"
    rf"|(?:[^\W\d]{{2,10}}[.,]* )?(?:{_DAY}[ -]{_MONTH},?|{_MONTH} {_DAY},?)[ -]\d{{4}}{_TIME}"
    r"|https?://\S+|[^\s@]+@[^\s@]+|[^\s]*\d[^\s]*"
)
# What a text in another encoding becomes when it is read as cp1252: signs within words.
_BROKEN_WORD = re.compile(r"[^\W\d_][\u00a1-\u00a9\u00ab-\u00b3\u00b5-\u00b9\u00bb-\u00bf\u00d7\u00f7þÞ][^\W\d_]")
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?[ \t]*(?:\r\n|\r|\n|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows below the header and the header's cells; `header` is empty where the file has no header."""

    header: tuple[str, ...]
    rows: list[list[str]]
    separator: str

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.header) or Counter(map(len, self.rows[:SAMPLE_ROWS])).most_common(1)[0][0] if self.rows else 0

    def cell(self, row: Sequence[str], column: int) -> str:
        """The text of a row in `column`. Separators that were not quoted are part of that text."""
        extra = max(len(row) - self.width, 0)
        return self.separator.join(row[column : column + extra + 1]).strip()


def decode(data: bytes, name: str) -> str:
    """The text of a file called `name`, without a byte order mark. Raises `InputError` that names the encoding."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding, name)
    wide = _wide_encoding(data[:SAMPLE_BYTES])
    if wide:
        return _decoded(data, wide, name)
    if b"\0" in data:
        raise InputError("The file {name} is not a text; send a .txt or .csv file.", name=name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded(data, _legacy_encoding(data, name), name)


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise InputError(
            "The file {name} cannot be read as {encoding}; save it as UTF-8 and send it again.",
            name=name,
            encoding=encoding.upper().removesuffix("-SIG"),
        ) from None


def _wide_encoding(sample: bytes) -> str:
    """UTF-16 or UTF-32 where every other byte, or three of four, are zero; else empty."""
    if len(sample) < 4 or b"\0" not in sample:
        return ""
    whole = sample[: len(sample) // 4 * 4]
    zeros = [whole[at::4].count(0) / (len(whole) / 4) for at in range(4)]
    often = [share > 0.5 for share in zeros]
    return {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }.get((often[0], often[1], often[2], often[3]), "")


def _legacy_encoding(data: bytes, name: str) -> str:
    """The encoding of a file that is not in Unicode. Raises `InputError` if none is likely.

    It is cp1252 (Excel in Western Europe) if the text then looks Western, because charset-normalizer confuses cp1252
    with cp1250 in short texts. Otherwise charset-normalizer decides.
    """
    sample = _some_of(data)
    try:
        text = sample.decode("cp1252")
        if _is_western(text):
            return "iso-8859-15" if "¤" in text else "cp1252"  # its euro sign
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes  # 30 ms; few files need it

    best = from_bytes(sample, cp_isolation=list(OTHER_ENCODINGS)).best()
    if best is None or best.coherence < MIN_COHERENCE:
        raise InputError("The encoding of the file {name} is not known; save it as UTF-8 and send it again.", name=name)
    return best.encoding


def _is_western(text: str) -> bool:
    """Whether few letters of `text` are accented, and no word contains a symbol that words do not contain."""
    letters = sum(map(str.isalpha, text))
    accented = sum(char.isalpha() for char in text if char > "\x7f")
    return accented <= MAX_ACCENTED * max(letters, 1) and not _BROKEN_WORD.search(text)


def _some_of(data: bytes) -> bytes:
    """The lines of `data` with non-ASCII bytes, up to `SAMPLE_BYTES`. Only these depend on the encoding."""
    lines: list[bytes] = []
    size = 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line)
            size += len(line)
        if size >= SAMPLE_BYTES:
            break
    return b"".join(lines)


def entries(text: str, name: str, *, column: str, max_length: int) -> list[str]:
    """The texts of a file called `name`: the lines of a .txt, or the cells of the column of texts of a table.

    The column is the one called `column`, otherwise one with a usual name for texts, otherwise the only one with texts.
    Blank entries are left out. Raises `InputError` if no column can be chosen, and for an entry with more than
    `max_length` characters.
    """
    table = _table_of(text, name, column)
    if table is None:
        found = [line.strip() for line in text.splitlines()]
    else:
        at = text_column(table, column)
        found = [table.cell(row, at) for row in table.rows if len(row) > at]
    found = [entry for entry in found if entry]
    for number, entry in enumerate(found, 1):
        if len(entry) > max_length:
            raise InputError(
                "Entry {number} has {n:,} characters; up to {most:,} can be read.",
                number=number,
                n=len(entry),
                most=max_length,
            )
    return found


def _table_of(text: str, name: str, column: str) -> Table | None:
    """The table in `text`, or None if each line is an entry. Excel saves tables with tabs as .txt ("Unicode text")."""
    if name.lower().endswith(TABLE_SUFFIXES):
        return read_table(text, column)
    if not _SEPARATOR_LINE.match(text) and "\t" not in text[:SAMPLE_BYTES].partition("\n")[0]:
        return None
    table = read_table(text, column)
    return table if _named(table.header, column) is not None else None


def read_table(text: str, *columns: str) -> Table:
    """Read a CSV text in any dialect. A header is recognised by the names in `columns`.

    Raises `InputError` if it is not a table.
    """
    declared = _SEPARATOR_LINE.match(text)
    if declared is not None:
        separator, text = declared[1], text[declared.end() :]
    else:
        separator = _separator(text, columns)
    rows = [row for row in _rows(text, separator) if any(cell.strip() for cell in row)]
    header_at = _header_at(rows, columns)
    if header_at is None:
        return Table((), rows, separator)
    return Table(tuple(cell.strip() for cell in rows[header_at]), rows[header_at + 1 :], separator)


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file with a byte order mark: spreadsheets need it to read UTF-8."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(header)
    writer.writerows([csv_cell(cell) for cell in row] for row in rows)
    return sheet.getvalue().encode("utf-8-sig")


def csv_cell(value: str) -> str:
    """`value` as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.lstrip()[:1] in ("=", "+", "-", "@") or value[:1] in ("\t", "\r") else value


def text_column(table: Table, column: str) -> int:
    """The column that contains the texts; raises `InputError` that says what is missing."""
    if not table.rows:
        return _named(table.header, column) or 0
    names = (_key(column), *TEXT_COLUMNS)
    called = sorted((names.index(key), at) for at, head in enumerate(table.header) if (key := _key(head)) in names)
    named = next((at for _rank, at in called if _has_texts(table, at)), None)
    if named is None and called and table.header[called[0][1]].casefold() == column:
        named = called[0][1]
    if named is not None:
        return named
    found = [at for at in range(table.width) if _has_texts(table, at)]
    if len(found) > 1:  # Names and places are single words; texts are not.
        found = [at for at in found if _is_prose(table, at)] or found
    if len(found) == 1:
        return found[0]
    heads = ", ".join(head[:40] for head in table.header if head)[:200]
    if not found:
        raise InputError(
            "The table has no column of texts: put them into a column with the header “{column}”.", column=column
        )
    if heads:
        raise InputError(
            "The table has no column “{column}”, and several that could be meant ({heads}): call the one with the "
            "texts “{column}”.",
            column=column,
            heads=heads,
        )
    raise InputError(
        "The table has several columns and no header: add a first line that calls the column of texts “{column}”.",
        column=column,
    )


def _separator(text: str, columns: Sequence[str]) -> str:
    """The character between the cells; one that the text does not have where it has one column."""
    best, best_share = "\x1f", 0.0
    for separator in SEPARATORS:
        rows = [row for row in islice(_rows(text, separator), SAMPLE_ROWS) if any(cell.strip() for cell in row)]
        widths = Counter(map(len, rows))
        if not rows or max(widths) < 2:
            continue
        if any(len(row) > 1 and _is_header(row, columns) for row in rows[:MAX_TITLE_ROWS]):
            return separator
        width, count = widths.most_common(1)[0]
        share = count / len(rows)
        # A spreadsheet writes no space after a separator: a comma that always has one after it belongs to a sentence.
        prose = separator in ",;" and not re.search(re.escape(separator) + r"[^\s]", text[:SAMPLE_BYTES])
        if width > 1 and len(rows[0]) == width and share >= MIN_REGULAR and share > best_share and not prose:
            best, best_share = separator, share
    return best


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """The cells of each line. A quote that never ends is an ordinary character."""
    csv.field_size_limit(10_000_000)  # The file's size is bounded elsewhere.
    # If the header has a space after its separators, the rows have one too, and their quotes begin after it.
    spaced = f"{separator} " in text[:SAMPLE_BYTES].partition("\n")[0]
    try:
        yield from csv.reader(_lines(text), delimiter=separator, skipinitialspace=spaced)
    except csv.Error as error:
        raise InputError("The CSV file cannot be read: {problem}.", problem=error) from None


def _lines(text: str) -> Iterator[str]:
    """The lines of `text`, their quotes doubled where the number of quotes shows that one is never closed."""
    lines = io.StringIO(text, newline="")
    if text.count('"') % 2 == 0:
        return iter(lines)
    return (line if line.count('"') % 2 == 0 else line.replace('"', "”") for line in lines)


def _header_at(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> int | None:
    """The number of the header row, or None."""
    for at, row in enumerate(rows[:MAX_TITLE_ROWS]):
        if _is_header(row, columns) and (at == 0 or len(row) > 1):
            return at
    if not rows:
        return None
    first, body = rows[0], rows[1:SAMPLE_ROWS]
    if len(first) > 1 and any(_key(cell) in OTHER_COLUMNS for cell in first):
        return 0
    # "Guest reviews", "Kundenmeinungen"
    if any(len(cell.split()) <= MAX_HEADER_WORDS and _key(cell).endswith(TEXT_COLUMN_ENDINGS) for cell in first):
        return 0
    for at, head in enumerate(first):
        cells = [row[at].strip() for row in body if len(row) > at and row[at].strip()]
        if head.strip() and not _NO_TEXT.fullmatch(head.strip()) and cells and all(map(_NO_TEXT.fullmatch, cells)):
            return 0
    return None


def _is_header(row: Sequence[str], columns: Sequence[str]) -> bool:
    return any(_named(row, column) is not None for column in columns)


def _named(header: Sequence[str], column: str) -> int | None:
    """The column that is called `column`, else the one whose name comes first in `TEXT_COLUMNS`."""
    keys = [_key(head) for head in header]
    for name in (_key(column), *TEXT_COLUMNS):
        if name in keys:
            return keys.index(name)
    return None


def _key(head: str) -> str:
    """A header's letters in lower case, for comparison."""
    return "".join(filter(str.isalpha, head[:60].casefold()))


def _has_texts(table: Table, column: int) -> bool:
    """Whether most cells of a column are texts, and not numbers, dates or ids."""
    return _most_cells(table, column, lambda cell: _NO_TEXT.fullmatch(cell) is None)


def _is_prose(table: Table, column: int) -> bool:
    """Whether most cells of a column have more than one word."""
    return _most_cells(table, column, lambda cell: len(cell.split()) > 1)


def _most_cells(table: Table, column: int, is_so: Callable[[str], bool]) -> bool:
    cells = [cell for row in table.rows[:SAMPLE_ROWS] if (cell := table.cell(row, column)[:200])]
    return sum(map(is_so, cells)) * 2 > len(cells)
