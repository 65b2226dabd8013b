"""What is read by the batch is what the client itself reads by the record, and nothing outside of a batch's bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import structlog
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.util import calc_crc32c

from monitor.errors import SourceError
from monitor.events import Records
from monitor.packed import Packed
from monitor.sources.kafka import trial as kafka_trial
from monitor.sources.kafka.batches import BatchRecords, LazyHeaders, records_of
from monitor.sources.kafka.varints import BATCH_COLUMNS, MIN_RECORD_BYTES, RECORD_COLUMNS, scan

PLACE = TopicPartition("topic", 4)
CODECS: list[Any] = [bytes, gzip_encode, snappy_encode, lz4_encode, zstd_encode]
HEADER = DefaultRecordBatch.HEADER_STRUCT


class Aborted(NamedTuple):
    producer_id: int
    first_offset: int


class Batch(NamedTuple):
    """A batch to be made: records with their offsets' distances, which compaction may have made larger than one."""

    records: Sequence[tuple[int, int, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]]
    codec: int = 0
    log_append_time: bool = False
    producer: int = -1
    control: bool = False
    removed_after: int = 0


def body_of(batch: Batch) -> bytes:
    """The records as they are before compression."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 30)
    delta = -1
    for distance, delta_ms, key, value, headers in batch.records:
        delta += distance
        builder.append(delta, 1_700_000_000_000 + delta_ms, key, value, headers)
    return bytes(builder.build()[HEADER.size :])


def framed(batch: Batch, base: int, body: bytes) -> tuple[bytes, int]:
    """A batch as a broker hands it out, and the offset behind it."""
    last = max(0, sum(record[0] for record in batch.records) - 1 + batch.removed_after)
    codec = batch.codec if body else 0  # as brokers do
    compressed = CODECS[codec](body)
    attributes = codec | 0x08 * batch.log_append_time | 0x10 * (batch.producer >= 0) | 0x20 * batch.control
    times = [1_700_000_000_000 + record[1] for record in batch.records] or [-1]
    fields = (attributes, last, times[0], max(times), batch.producer, 0, 0, len(batch.records))
    checked = struct.pack(">hiqqqhii", *fields) + compressed
    head = struct.pack(">qiibI", base, len(checked) + 9, 11, 2, calc_crc32c(checked))
    return head + checked, base + last + 1


def log_of(batches: Sequence[Batch], base: int = 100) -> bytes:
    log = b""
    for batch in batches:
        framed_batch, base = framed(batch, base, body_of(batch))
        log += framed_batch
    return log


class Reading(NamedTuple):
    rows: list[Any]
    refused: bool
    state: list[Any]


def reader_of(kind: Any, log: bytes, offset: int, aborted: Sequence[Aborted], check_crcs: bool = True) -> Any:
    return kind(
        offset,
        PLACE,
        MemoryRecords(log),
        check_crcs=check_crcs,
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=aborted,
    )


def read(
    kind: Any, log: bytes, offset: int, step: int, aborted: Sequence[Aborted] = (), *, check_crcs: bool = True
) -> Reading:
    """Read all there is, fetching anew where the reader stopped before the end, as the client does."""
    rows: list[Any] = []
    while True:
        reader = reader_of(kind, log, offset, aborted, check_crcs)
        while reader:
            before = len(rows)
            try:
                taken = reader.take(step)
            except CorruptRecordError:
                return Reading(rows, True, [])
            found = list(taken) if kind is BatchRecords else [records_of(PLACE.topic, PLACE.partition, taken)]
            for records in found:
                rows += rows_of(records)
            assert len(rows) - before == len(taken) <= step
            assert kind is not BatchRecords or not rows or reader.next_fetch_offset > rows[-1][0]
        if reader.next_fetch_offset <= offset or kind is not BatchRecords:
            state = [max(offset, reader.next_fetch_offset), reader.leader_epoch]
            return Reading(rows, False, state)
        offset = reader.next_fetch_offset


def rows_of(records: Records) -> list[Any]:
    assert (records.topic, records.partition) == PLACE
    assert records.keys is not None
    headers = records.headers if records.headers is not None else [()] * len(records)
    columns = (records.offsets.tolist(), records.timestamps_ms.tolist(), records.keys, records.payloads, headers)
    return list(zip(*columns, strict=True))


small = st.none() | st.binary(max_size=12)
values = small | st.integers(60, 70_000).map(lambda size: bytes([size % 251]) * size)
headers = st.lists(st.tuples(st.text(max_size=5), small), max_size=3)
times = st.integers(-(10**15), 10**15)
records = st.tuples(st.integers(1, 3), times, small, values, headers)
batches = st.builds(
    Batch,
    st.lists(records, max_size=8),
    codec=st.integers(0, 4),
    log_append_time=st.booleans(),
    producer=st.sampled_from([-1, 1, 2]),
    control=st.just(False),
    removed_after=st.integers(0, 3),
)
markers = st.builds(
    lambda producer, commit: Batch([(1, 0, struct.pack(">hh", 0, commit), b"", [])], producer=producer, control=True),
    st.sampled_from([1, 2]),
    st.booleans(),
)


def is_abort(batch: Batch) -> bool:
    return batch.control and batch.records[0][2] == struct.pack(">hh", 0, 0)


def aborted_in(made: Sequence[Batch], base: int = 100) -> list[Aborted]:
    """What a broker says of the transactions in a log."""
    aborted, begun = [], dict[int, int]()
    for batch in made:
        if is_abort(batch) and batch.producer in begun:
            aborted.append(Aborted(batch.producer, begun[batch.producer]))
        if batch.control:
            begun.pop(batch.producer, None)
        elif batch.producer >= 0:
            begun.setdefault(batch.producer, base)
        base = framed(batch, base, b"")[1]
    return aborted


@settings(deadline=None)
@given(st.lists(batches | markers, max_size=7), st.integers(90, 140), st.integers(1, 12))
def test_both_ways_give_the_same(made: list[Batch], offset: int, step: int) -> None:
    log, aborted = log_of(made), aborted_in(made)

    ours, theirs = (read(kind, log, offset, step, aborted) for kind in (BatchRecords, Fetcher.PartitionRecords))

    assert ours == theirs


def corrupted(body: bytes, how: str, at: int, byte: int) -> bytes:
    at %= len(body) + 1
    if how == "cut":
        return body[:at]
    changed = bytes([byte]) + (body[at + 1 :] if how == "replace" else body[at:])
    return body[:at] + changed


@settings(deadline=None, max_examples=400)
@given(
    st.lists(records, min_size=1, max_size=4),
    st.sampled_from(["cut", "replace", "insert"]),
    st.integers(0, 400),
    st.integers(0, 255),
    st.integers(0, 4),
    st.integers(1, 9),
)
def test_both_ways_refuse_the_same_and_read_as_much_before_it(
    made: list[Any], how: str, at: int, byte: int, codec: int, step: int
) -> None:
    batch = Batch(made, codec=codec)
    first, base = framed(batch, 100, body_of(batch))
    log = first + framed(batch, base, corrupted(body_of(batch), how, at, byte))[0]

    try:
        theirs = read(Fetcher.PartitionRecords, log, 100, step)
    except OverflowError:  # a time beyond 64 bits
        assume(False)
    offsets = [row[0] for row in theirs.rows]
    assume(offsets == sorted(set(offsets)) and offsets[-1] < framed(batch, base, b"")[1])
    ours = read(BatchRecords, log, 100, step)
    # A header's name that is no text stops the client, not us.
    assume(not any("\\x" in name for row in ours.rows for name, _ in row[-1]))

    assert ours.rows == theirs.rows
    # Bytes behind the last record stop the client, once it has given all records.
    assert ours.refused == (theirs.refused and len(theirs.rows) < 2 * len(made))


@settings(deadline=None, max_examples=400)
@given(st.lists(records, min_size=1, max_size=4), st.integers(0, 400), st.binary(max_size=12), st.integers(-3, 40))
def test_nothing_outside_of_a_batch_is_read_or_written(
    made: list[Any], at: int, noise: bytes, more_records: int
) -> None:
    body = body_of(Batch(made))
    at %= len(body) + 1
    body = body[:at] + noise + body[at + len(noise) :]
    found = []
    for outside in (b"\x00", b"\x02", b"\xff"):
        buffer = bytearray(outside * 100 + body + outside * 100)
        table = np.zeros((1, BATCH_COLUMNS), dtype=np.int64)
        table[0, :5] = 100, 100 + len(body), len(made) + more_records, 0, 1_000
        columns = np.full((RECORD_COLUMNS, len(body) // MIN_RECORD_BYTES + 2), -7, dtype=np.int64)
        read_batches, count = scan(np.frombuffer(buffer, dtype=np.uint8), table, columns[:, :-1])
        assert buffer[:100] == buffer[-100:] == outside * 100
        assert (columns[:, -1] == -7).all()
        found.append((read_batches, count, columns[:, :count].tolist()))
    assert found[0] == found[1] == found[2]


def test_keys_and_values_are_followed_by_a_byte_0() -> None:
    headers = [("name", b"x"), ("none", None)]
    made = [
        (1, 0, b"key", b"value", headers),
        (1, 1, None, None, headers),
        (1, 2, b"", b"", []),
        (1, 3, b"k", b"v", []),
    ]

    [records] = reader_of(BatchRecords, log_of([Batch(made, codec=3), Batch(made)]), 100, []).take(100)

    assert len(records) == 8
    for packed in (records.keys, records.payloads):
        assert isinstance(packed, Packed)
        ends = packed.starts + np.maximum(packed.lengths, 0)
        assert {packed.buffer[end] for end in ends.tolist()} == {0}
    assert list(records.payloads) == [b"value", None, b"", b"v"] * 2


def test_headers_are_none_where_no_message_has_any() -> None:
    [records] = reader_of(BatchRecords, log_of([Batch([(1, 0, None, b"x", [])] * 3)]), 100, []).take(2)
    assert records.headers is None


def test_headers_whose_name_is_no_text_hold_up_nothing() -> None:
    headers = LazyHeaders(bytearray(b"\x02\xff\x02a"), np.array([0]), np.array([1]))
    assert headers[0] == (("\\xff", b"a"),)


def test_a_batch_with_a_wrong_checksum_is_named_after_what_comes_before_it() -> None:
    good = Batch([(1, 0, None, b"good", [])] * 3)
    log = bytearray(log_of([good, good, good]))
    log[-2] ^= 1

    reader = reader_of(BatchRecords, bytes(log), 100, [])
    assert sum(len(records) for records in reader.take(100)) == 6
    assert not reader
    for _ in range(2):
        again = reader_of(BatchRecords, bytes(log), 106, [])
        with pytest.raises(CorruptRecordError, match=r"topic\[4\] .* offset 106 on: .* wrong checksum"):
            again.take(100)
        assert not again


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_what_cannot_be_decompressed_is_named(codec: int) -> None:
    batch = Batch([(1, 0, None, b"x" * 500, [])] * 3, codec=codec)
    log = bytearray(framed(batch, 100, body_of(batch))[0])
    log[HEADER.size + 8 :] = bytes([0xA5]) * (len(log) - HEADER.size - 8)

    with pytest.raises(CorruptRecordError, match=r"topic\[4\] .* offset 100 on: .* not decompressed"):
        reader_of(BatchRecords, bytes(log), 100, [], check_crcs=False).take(10)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_old_message_formats_are_read_by_the_record(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for offset in range(5):
        builder.append(offset, 1_000 + offset, b"k", b"old" * 9)
    log = bytes(builder.build()) + log_of([Batch([(1, 0, None, b"new", [])] * 4)])

    ours, theirs = (read(kind, log, 2, 3) for kind in (BatchRecords, Fetcher.PartitionRecords))

    assert ours == theirs
    assert [row[0] for row in ours.rows] == [2, 3, 4, 100, 101, 102, 103]


class Consumer:
    """Stands for what is private in the client's consumer."""

    def __init__(self) -> None:
        self._fetcher = self
        self.PartitionRecords: Any = Fetcher.PartitionRecords


def test_a_client_that_works_otherwise_is_read_by_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_arguments: object) -> None:
        raise AttributeError("_next_slice")

    kafka_trial.problem.cache_clear()
    monkeypatch.setattr("monitor.sources.kafka.batches._next_batch", changed)
    consumer = Consumer()
    try:
        with structlog.testing.capture_logs() as logs:
            assert kafka_trial.read_batches(consumer, "auto") is False
        assert [(entry["log_level"], entry["because"]) for entry in logs] == [
            ("warning", "AttributeError: _next_slice")
        ]
        with pytest.raises(SourceError, match=r"kafka\.records: batches: AttributeError") as caught:
            kafka_trial.read_batches(consumer, "batches")
        assert not caught.value.retryable
    finally:
        kafka_trial.problem.cache_clear()
    assert consumer.PartitionRecords is Fetcher.PartitionRecords


def test_a_reader_that_gives_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka_trial.problem.cache_clear()
    monkeypatch.setattr(BatchRecords, "_is_left_out", lambda _self, batch: batch.is_control_batch)
    try:
        assert "aborted" in kafka_trial.problem()
    finally:
        kafka_trial.problem.cache_clear()


def test_plain_means_by_the_record() -> None:
    consumer = Consumer()
    assert kafka_trial.read_batches(consumer, "plain") is False
    assert consumer.PartitionRecords is Fetcher.PartitionRecords
    assert kafka_trial.read_batches(consumer, "auto") is True
    assert consumer.PartitionRecords is BatchRecords
