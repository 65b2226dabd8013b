"""Whether what :mod:`monitor.sources.kafka.batches` takes the place of in the client is still as it was.

Batches that the client itself makes are read both ways, at each start of a source: so a client that was changed costs
speed, not messages. It also compiles the scan before the first poll, which must not take long.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Literal, NamedTuple

import structlog
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

from monitor.errors import SourceError
from monitor.events import Records
from monitor.sources.kafka.batches import BatchRecords, records_of

__all__ = ["problem", "read_batches"]

log = structlog.get_logger(__name__)

_PLACE = TopicPartition("trial", 3)
_HEADERS = [("a", b"1"), ("b", None)]
_ABORTED_ID, _COMMITTED_ID = 7, 8
_SEEK = 2
"""An offset within the first batch."""
_LEADER_EPOCH = 5

Record = tuple["bytes | None", "bytes | None", list[tuple[str, "bytes | None"]]]


class _Aborted(NamedTuple):
    producer_id: int
    first_offset: int


def read_batches(consumer: Any, how: Literal["auto", "batches", "plain"]) -> bool:
    """Make a consumer's ``poll`` return lists of :class:`~monitor.events.Records`, if that is wanted and works.

    Returns
    -------
    bool
        Whether it does; else they are lists of the client's own records.

    Raises
    ------
    SourceError
        It does not work, and nothing else is wanted.
    """
    if how == "plain":
        return False
    if (why_not := problem()) and how == "batches":
        raise SourceError(f"kafka.records: batches: {why_not}; `auto` reads by the record instead", retryable=False)
    if why_not:
        log.warning("Kafka is read by the record, which takes several times longer", because=why_not)
        return False
    consumer._fetcher.PartitionRecords = BatchRecords
    return True


@cache
def problem() -> str:
    """What is wrong with reading by the batch, or an empty text.

    Examples
    --------
    >>> problem()
    ''
    """
    try:
        if "PartitionRecords" not in Fetcher._parse_fetched_data.__code__.co_names:
            return "the client makes its records elsewhere"
        for step in (1, 4, 1_000):
            theirs, ours = _read(Fetcher.PartitionRecords, step), _read(BatchRecords, step)
            if theirs != ours:
                return f"read by the record: {theirs}; by the batch: {ours}"
    except Exception as error:  # noqa: BLE001 -- whatever a changed client does, reading by the record is left
        return f"{type(error).__name__}: {error}"
    return ""


def _read(kind: Any, step: int) -> list[Any]:
    """All that there is to read, and the state of the reader behind each step."""
    drained: list[Any] = []
    reader = kind(
        _SEEK,
        _PLACE,
        MemoryRecords(_log()),
        key_deserializer=None,
        value_deserializer=None,
        check_crcs=True,
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[_Aborted(_ABORTED_ID, 9)],
        metric_aggregator=None,
        on_drain=drained.append,
    )
    read = []
    while reader:
        taken = reader.take(step)
        records = next(iter(taken), None) if kind is BatchRecords else records_of(_PLACE.topic, _PLACE.partition, taken)
        rows = _rows(records) if records is not None else []
        read += [(row, reader.leader_epoch) for row in rows]
    return [*read, reader.next_fetch_offset, reader.records_read, reader.bytes_read, len(drained)]


def _rows(records: Records) -> list[Any]:
    keys, headers = records.keys or [], records.headers or [()] * len(records)
    columns = (records.offsets.tolist(), records.timestamps_ms.tolist(), keys, records.payloads, headers)
    return [(records.topic, records.partition, *row) for row in zip(*columns, strict=True)]


def _log() -> bytes:
    """A compressed batch with all kinds of records, a committed and an aborted transaction with their markers."""
    log = _batch(0, [(b"k", b"v" * 200, []), (None, None, _HEADERS), (b"", b"", []), (b"k", None, _HEADERS)], codec=3)
    log += _batch(4, [(None, b"committed", [])] * 4, producer=_COMMITTED_ID)
    log += _batch(8, [(b"\x00\x00\x00\x01", b"\x00" * 6, [])], producer=_COMMITTED_ID, control=True)
    log += _batch(9, [(None, b"aborted", [])] * 2, producer=_ABORTED_ID)
    log += _batch(11, [(b"\x00\x00\x00\x00", b"\x00" * 6, [])], producer=_ABORTED_ID, control=True)
    return log + _batch(12, [(None, b"last", [])])


def _batch(base: int, records: list[Record], *, codec: int = 0, producer: int = -1, control: bool = False) -> bytes:
    """A batch as a broker hands it out."""
    transactional = producer != -1
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0 if transactional else -1, -1, 1 << 20)
    for delta, (key, value, headers) in enumerate(records):
        builder.append(delta, 1_000 + 3 * delta, key, value, headers)
    batch = bytearray(builder.build())
    # What the builder leaves to the broker.
    struct.pack_into(">q", batch, 0, base)
    struct.pack_into(">i", batch, 12, _LEADER_EPOCH)
    if control:
        batch[builder.ATTRIBUTES_OFFSET + 1] |= builder.CONTROL_MASK
    checksum = calc_crc32c(memoryview(batch)[builder.ATTRIBUTES_OFFSET :])
    struct.pack_into(">I", batch, builder.CRC_OFFSET, checksum)
    return bytes(batch)
