from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import InputError, SourceError
from monitor.sources.files import EVENLY_FROM_MS, FileSource
from monitor.sources.lines import MAX_LINE_BYTES, LineReader

Read = list[tuple[int, int, bytes]]


def start(_topic: str, _partition: int) -> int | None:
    return None


def opened(*paths: Path, resume: Callable[[str, int], int | None] = start, **options: Any) -> FileSource:
    source = FileSource({"t": list(paths)}, **options)
    source.open(resume)
    return source


def read_on(source: FileSource, max_records: int = 1000) -> Read:
    """Everything up to the end as it is now, as (partition, offset, payload)."""
    found: Read = []
    for _ in range(100_000):
        polled = source.poll(max_records, 0.0)
        assert sum(len(records) for records in polled) <= max_records
        for records in polled:
            assert records.topic == "t"
            assert records.timestamps_ms.tolist() == [-1] * len(records)
            found += [
                (records.partition, offset, cast(bytes, payload))
                for offset, payload in zip(records.offsets.tolist(), records.payloads, strict=True)
            ]
        if not polled and source.at_end() == source.assigned():
            return found
    raise AssertionError("the source does not end")


def read(*paths: Path, max_records: int = 1000, **options: Any) -> Read:
    source = opened(*paths, **options)
    try:
        return read_on(source, max_records)
    finally:
        source.close()


def test_a_line_number_is_the_offset_and_blank_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'\n{"a": 1}\r\n  \t\r\n\n{"a": 2}\n{"a": 3}')

    assert read(path) == [(0, 1, b'{"a": 1}\r'), (0, 4, b'{"a": 2}'), (0, 5, b'{"a": 3}')]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"n")), max_size=40),
    newline_at_end=st.booleans(),
    max_records=st.integers(1, 7),
    resume=st.integers(0, 40),
    zipped=st.booleans(),
)
def test_any_file_is_read_from_any_line_on(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    newline_at_end: bool,
    max_records: int,
    resume: int,
    zipped: bool,
) -> None:
    content = b"\n".join(lines) + (b"\n" if newline_at_end and lines else b"")
    exist = content.split(b"\n")[: None if content[-1:] not in {b"", b"\n"} else -1]
    resume = min(resume, len(exist))
    path = tmp_path_factory.mktemp("lines") / ("x.jsonl.gz" if zipped else "x.jsonl")
    path.write_bytes(gzip.compress(content) if zipped else content)

    found = read(path, max_records=max_records, resume=lambda _t, _p: resume)

    assert found == [(0, i, line) for i, line in enumerate(exist) if i >= resume and line.strip(b" \t\r\v\f")]


def test_lines_are_found_across_the_chunks_that_are_read_at_once(tmp_path: Path) -> None:
    lines = [json.dumps({"n": n, "pad": "x" * (n * 7919 % 400_000)}).encode() for n in range(60)]
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"\n".join(lines))

    assert [payload for _, _, payload in read(path)] == lines


def test_of_an_endless_line_only_a_rejectable_part_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "endless.jsonl"
    path.write_bytes(b'{"a":"' + b"x" * (MAX_LINE_BYTES + (3 << 20)) + b'"}\n{"a": 1}\n')

    (_, _, endless), after = read(path)

    assert len(endless) == MAX_LINE_BYTES + 1
    assert after == (0, 1, b'{"a": 1}')


def test_files_take_turns_and_each_is_a_partition(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("b.jsonl", "a.jsonl")]
    for path in paths:
        path.write_text("".join(f'"{path.stem}{n}"\n' for n in range(5)))

    source = opened(*paths)
    order = [(r.partition, len(r)) for _ in range(4) for r in source.poll(3, 0.0)]
    source.close()

    assert source.assigned() == {("t", 0), ("t", 1)}
    assert order == [(0, 3), (1, 3), (0, 2), (1, 1), (1, 1)]


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"]
    paths[0].write_bytes(b"{}\n" * 10)
    paths[1].write_bytes(gzip.compress(b"{}\n" * 10))
    source = opened(*paths)

    before = source.done_bytes
    read_on(source)
    source.close()

    assert before == 0
    assert source.done_bytes == source.total_bytes == sum(path.stat().st_size for path in paths)


def test_an_empty_file_is_at_its_end(tmp_path: Path) -> None:
    for name in ("empty.jsonl", "empty.jsonl.gz"):
        (tmp_path / name).touch()
        source = opened(tmp_path / name)
        assert read_on(source) == []
        assert source.failures == []
        source.close()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        opened(tmp_path / "gone.jsonl")
    with pytest.raises(InputError, match=r"gone\.parquet: no such file"):
        opened(tmp_path / "gone.parquet", format="parquet")
    with pytest.raises(InputError, match="directory"):
        opened(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_gzip_file_gives_what_stands_before_the_damage(tmp_path: Path, damage: str) -> None:
    draw = random.Random(1)
    lines = [json.dumps({"n": n, "noise": draw.randbytes(20).hex()}).encode() for n in range(5000)]
    packed = bytearray(gzip.compress(b"\n".join(lines)))
    half = len(packed) // 2
    broken, whole = tmp_path / "broken.jsonl.gz", tmp_path / "whole.jsonl"
    broken.write_bytes(packed[:half] if damage == "cut" else packed[:half] + b"\xff" * 4096)
    whole.write_bytes(b"{}\n")
    source = opened(broken, whole)

    found = read_on(source)
    source.close()

    numbered = [(number, payload) for partition, number, payload in found if partition == 0]
    intact = sum(payload == lines[number] for number, payload in numbered)
    # Noise may decode to a few wrong bytes before it is noticed; a cut leaves no half line behind.
    assert 1000 < intact <= len(numbered) <= (intact if damage == "cut" else 5000)
    assert (1, 0, b"{}") in found
    [failure] = source.failures
    assert failure.startswith(f"{broken}: after line {numbered[-1][0] + 1}: ")


def test_gzip_members_that_follow_each_other_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "members.jsonl.gz"
    path.write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"3\n4\n") + b"\x00" * 100)
    source = opened(path)

    assert [payload for _, _, payload in read_on(source)] == [b"1", b"23", b"4"]
    assert source.failures == []
    source.close()


def test_a_file_shorter_than_its_checkpoint_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "short.jsonl"
    path.write_bytes(b"1\n2\n")
    source = opened(path, resume=lambda _t, _p: 3)

    with pytest.raises(SourceError, match=r"short\.jsonl: ends after line 2, but 3 lines") as caught:
        source.poll(10, 0.0)
    source.close()
    assert not caught.value.retryable

    table = tmp_path / "short.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), table)
    with pytest.raises(SourceError, match="has 2 rows, but 3"):
        opened(table, format="parquet", resume=lambda _t, _p: 3)


def test_a_followed_file_gives_only_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / "growing.jsonl"
    path.write_bytes(b"1\n2")
    source = opened(path, follow=True)
    assert not source.bounded

    assert read_on(source) == [(0, 0, b"1")]
    with path.open("ab") as file:
        file.write(b"2\n3\n4")
    assert source.at_end() == {("t", 0)}
    assert read_on(source) == [(0, 1, b"22"), (0, 2, b"3")]
    source.close()


def test_what_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").touch()
    with pytest.raises(InputError, match="gzip"):
        opened(tmp_path / "a.jsonl.gz", follow=True)
    with pytest.raises(InputError, match="Parquet"):
        opened(tmp_path / "a.parquet", follow=True, format="parquet")


def test_parquet_rows_become_json_objects(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    moment = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    table = pa.table(
        {
            "x": pa.array([1.5, math.nan, None, math.inf]),
            "n": pa.array([1, None, 2**60, -1], pa.int64()),
            "f": pa.array([0.5] * 4, pa.float32()),
            "c": pa.array(["DE", None, "ä", ""]).dictionary_encode(),
            "b": pa.array([True, False, None, True]),
            "ns": pa.array([1_700_000_000_123_456_789] * 4, pa.timestamp("ns", tz="UTC")),
            "us": pa.array([moment] * 4, pa.timestamp("us", tz="UTC")),
            "d": pa.array([Decimal("1.25")] * 4),
            "in": pa.array([{"y": math.nan}, {"y": 1.0}, None, {"y": -math.inf}]),
        }
    )
    pq.write_table(table, path)

    rows = [json.loads(payload) for _, _, payload in read(path, format="parquet")]

    assert [row["x"] for row in rows] == [1.5, None, None, math.inf]
    assert [row["n"] for row in rows] == [1, None, 2**60, -1]
    assert [row["c"] for row in rows] == ["DE", None, "ä", ""]
    assert [row["b"] for row in rows] == [True, False, None, True]
    assert [row["in"] for row in rows] == [{"y": None}, {"y": 1.0}, None, {"y": -math.inf}]
    assert datetime.fromisoformat(rows[0]["ns"]) == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert datetime.fromisoformat(rows[0]["us"]) == moment
    assert rows[0]["d"] == 1.25
    assert rows[0]["f"] == 0.5


@pytest.mark.parametrize("resume", [0, 1, 9, 10, 11, 25, 29, 30])
def test_parquet_is_read_from_any_row_on_across_row_groups(tmp_path: Path, resume: int) -> None:
    path = tmp_path / "groups.parquet"
    pq.write_table(pa.table({"n": list(range(30))}), path, row_group_size=10)

    found = read(path, format="parquet", max_records=4, resume=lambda _t, _p: resume)

    assert found == [(0, n, b'{"n":%d}' % n) for n in range(resume, 30)]


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.parquet"
    path.write_text("hello")
    with pytest.raises(InputError, match=r"text\.parquet: not a Parquet file"):
        opened(path, format="parquet")


def test_a_damaged_row_group_ends_the_file_but_not_the_source(tmp_path: Path) -> None:
    path, whole = tmp_path / "damaged.parquet", tmp_path / "whole.parquet"
    noise = [random.Random(n).randbytes(500).hex() for n in range(40)]
    pq.write_table(pa.table({"c": noise}), path, row_group_size=10, use_dictionary=False, compression="gzip")
    pq.write_table(pa.table({"c": ["x"]}), whole)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(content)
    source = opened(path, whole, format="parquet")

    found = read_on(source)
    source.close()

    assert (1, 0, b'{"c":"x"}') in found
    assert 10 <= sum(partition == 0 for partition, _, _ in found) < 40
    assert source.failures[0].startswith(f"{path}: after row ")


def test_rows_of_csv_become_json_objects_with_the_types_of_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,when,code,a.b,a.c\n1,2024-05-01T10:00:00Z,7,1,u\n,2024-05-01T11:00:00Z,A1,2,v\n")

    rows = [json.loads(payload) for _, _, payload in read(path, format="suffix")]

    assert rows == [
        {"x": 1, "when": "2024-05-01T10:00:00Z", "code": "7", "a": {"b": 1, "c": "u"}},
        {"x": None, "when": "2024-05-01T11:00:00Z", "code": "A1", "a": {"b": 2, "c": "v"}},
    ]


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(name: str, follow: bool, tmp_path: Path) -> None:
    path, lines = tmp_path / name, b'\xef\xbb\xbf{"a": 1}\n\xef\xbb\xbf{"a": 2}\n'
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    reader = LineReader(path, follow=follow)

    assert reader.take(5)[1] == [b'{"a": 1}', b'\xef\xbb\xbf{"a": 2}']
    reader.close()


def test_a_byte_order_mark_that_is_written_in_pieces_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xef\xbb")
    reader = LineReader(path, follow=True)
    assert reader.take(5)[1] == []
    with path.open("ab") as file:
        file.write(b'\xbf{"a": 1}\n')
    assert reader.take(5)[1] == [b'{"a": 1}']
    reader.close()


def test_a_packed_csv_file_is_read_as_the_unpacked_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"x,code\n1,A\n2,B\n"))
    rows = [json.loads(payload) for _, _, payload in read(path, format="suffix")]
    assert rows == [{"x": 1, "code": "A"}, {"x": 2, "code": "B"}]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"rows\.csv\.gz"):
        read(path, format="suffix")


def test_a_column_beside_its_parent_keeps_its_name_and_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,a.b,c.d,e.f,e.f.g\n1,2,3,4,5\n")
    [(_, _, payload)] = read(path, format="suffix")
    assert json.loads(payload) == {"a": 1, "a.b": 2, "c": {"d": 3}, "e": {"f": 4}, "e.f.g": 5}


def test_a_csv_file_is_read_from_any_row_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x\n" + "".join(f"{i}\n" for i in range(10)))
    assert [offset for _, offset, _ in read(path, format="suffix", resume=lambda _t, _p: 7)] == [7, 8, 9]


def test_rows_may_be_given_times_that_lie_evenly(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n\n{}\n{}\n")
    source = FileSource({"t": [path]}, rows_per_hour=7)
    source.open(lambda _topic, _partition: None)
    [records] = source.poll(10, 0.0)
    source.close()
    assert (records.timestamps_ms - EVENLY_FROM_MS).tolist() == [0, 1_028_571, 1_542_857]


def test_files_of_a_glob_are_read_each_as_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    pq.write_table(pa.table({"x": [2]}), tmp_path / "b.parquet")
    (tmp_path / "c.csv").write_text("x\n3\n")
    rows = [json.loads(payload) for _, _, payload in read(*sorted(tmp_path.iterdir()))]
    assert rows == [{"x": 1}, {"x": 2}, {"x": 3}]
