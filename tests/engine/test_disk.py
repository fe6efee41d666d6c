"""Files that survive a kill at any instant."""

from pathlib import Path

import pytest

from bot.engine import disk


def test_a_line_cut_by_a_kill_is_ignored_and_removed_before_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log"
    disk.append_lines(log, [{"step": 1}])
    with log.open("ab") as file:
        file.write(b'{"step": 2, "lo')
    assert disk.read_lines(log) == [{"step": 1}]
    disk.repair_log(log)
    disk.append_lines(log, [{"step": 2}])
    assert disk.read_lines(log) == [{"step": 1}, {"step": 2}]


def test_a_record_that_cannot_be_written_keeps_its_old_content(tmp_path: Path) -> None:
    place = tmp_path / "record.json"
    disk.write_json(place, {"old": True})
    (tmp_path / "record.json.part").mkdir()
    with pytest.raises((IsADirectoryError, PermissionError)):
        disk.write_json(place, {"old": False})
    assert disk.read_json(place) == {"old": True}


def test_an_absent_log_is_empty_and_an_absent_record_is_none(tmp_path: Path) -> None:
    disk.repair_log(tmp_path / "log")
    assert disk.read_lines(tmp_path / "log") == []
    assert disk.read_json(tmp_path / "record.json") is None
