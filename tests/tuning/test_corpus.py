"""Folders of texts: what is read, what is passed over, and how texts are cut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import ConfigError, InputError, NotFoundError
from bot.locales.commands import registered_commands
from bot.tuning.corpus import CHUNK, TAKEN, Corpora, Corpus, chunks_of


def test_only_texts_are_read_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("Second.", encoding="utf-8")
    (tmp_path / "a.txt").write_text("First.", encoding="utf-8")
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.7 \xff")
    (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    (tmp_path / ".hidden.txt").write_text("No.", encoding="utf-8")
    corpus = Corpus("mine", tmp_path)
    assert [source for source, _ in corpus.texts()] == ["a.txt", "b.md"]
    assert corpus.files()[1] == ["scan.pdf"]
    assert corpus.unreadable() == ["latin.txt"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("Secret.", encoding="utf-8")
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("Open.", encoding="utf-8")
    (folder / "b.txt").symlink_to(tmp_path / "secret.txt")
    assert [source for source, _ in Corpus("mine", folder).texts()] == ["a.txt"]


@pytest.mark.parametrize("make", [False, True])
def test_an_empty_or_missing_folder_is_a_sentence(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
    with pytest.raises(InputError, match="folder"):
        Corpus("mine", folder).files()


@pytest.mark.parametrize("name", ["../up", "Big", "a b", "", "-a", "x" * 33, "ask", "finetune", "racing", "ünal"])
def test_a_name_that_no_command_could_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="CORPORA"):
        Corpora({name: Path()})


def test_an_unknown_corpus_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="racing, faq"):
        Corpora({"faq": Path()}).get("../racing")


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1_000_000,  # five megabytes in one paragraph
        "Ο αρτοποιός ψήνει ψωμί. " * 2_000,
        "パン屋は毎日パンを焼く。" * 3_000,
        "x" * 50_000,
    ],
    ids=["one paragraph", "Greek", "Japanese", "no space"],
)
def test_any_text_is_cut_into_chunks_that_together_are_all_of_it(text: str) -> None:
    chunks = list(chunks_of("a.txt", text))
    assert all(0 < len(chunk.text) <= CHUNK for chunk in chunks)
    assert "".join(chunk.text for chunk in chunks).split() == text.split()
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)


@given(st.lists(st.text("ab .\n", max_size=60), max_size=30), st.integers(5, 80))
def test_no_letter_is_lost_between_chunks(paragraphs: list[str], size: int) -> None:
    text = "\n\n".join(paragraphs)
    chunks = list(chunks_of("a.txt", text, size))
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)


def test_paragraphs_stay_whole_where_they_fit() -> None:
    text = "\n\n".join(f"Paragraph {number} is here." for number in range(10))
    for chunk in chunks_of("a.txt", text, 60):
        assert chunk.text.strip().endswith(".")
        assert chunk.text.startswith("Paragraph")


def test_no_corpus_can_be_called_like_a_command() -> None:
    """The racing season has its own; names with capitals, as menus have, no corpus can have."""
    names = {command.qualified_name.split()[0] for command in registered_commands()}
    assert {name for name in names if name.islower()} == TAKEN | {"racing"}
