"""The comparison of two checkouts' rows finds a row that differs, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet

from bench.same_rows import differences


def backup(folder: Path, **tables: list[dict[str, object]]) -> Path:
    folder.mkdir()
    for name, rows in tables.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def test_the_same_rows_in_another_order_do_not_differ(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"series": "a", "statistic": float("nan")}, {"series": "b", "statistic": 0.1}]
    first, second = backup(tmp_path / "first", scores=rows), backup(tmp_path / "second", scores=rows[::-1])

    assert list(differences(first, second)) == [("scores", 2, 0)]


def test_the_last_bit_of_a_number_and_a_table_that_one_lacks_are_differences(tmp_path: Path) -> None:
    first = backup(tmp_path / "first", scores=[{"statistic": 0.3}])
    second = backup(tmp_path / "second", scores=[{"statistic": 0.1 + 0.2}], alerts=[{"id": "x"}])

    assert list(differences(first, second)) == [("alerts", 0, 1), ("scores", 1, 2)]
