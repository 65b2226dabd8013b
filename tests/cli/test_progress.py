"""Long exports show on a terminal how much has come, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.cli.answers import write_parts
from monitor.errors import SourceError


def test_a_terminal_sees_how_much_has_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    write_parts(iter([b"ab", b"cd"]), "csv", tmp_path / "x.csv")
    said = capsys.readouterr()
    assert (tmp_path / "x.csv").read_bytes() == b"abcd"
    assert said.out == ""
    assert "x.csv" in said.err


def test_a_pipe_sees_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_parts(iter([b"ab"]), "csv", tmp_path / "x.csv")
    assert capsys.readouterr() == ("", "")


def test_what_is_cut_off_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"before")

    def parts() -> object:
        yield b"half"
        raise SourceError("cut off", retryable=True)

    with pytest.raises(SourceError):
        write_parts(parts(), "csv", file)  # type: ignore[arg-type]
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]
