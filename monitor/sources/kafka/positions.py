"""Where a consumer of Kafka stands, in the log's own offsets."""

from __future__ import annotations

from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

__all__ = ["first_offset", "position_of"]


def position_of(consumer: Any, partition: TopicPartition) -> OffsetAndMetadata | None:
    """Return where a consumer goes on; None if the partition is not assigned any more, or that is not known yet.

    Private: ``position`` gives the offset alone, and takes a truncation that was found for itself, which the next poll
    is to raise. The minor version is pinned, and tests tell when it changes.
    """
    state = consumer._subscription.assignment.get(partition)
    return None if state is None else state.position


def first_offset(polled: Any) -> int:
    """Of a record, or of many in one."""
    return int(polled.offsets[0]) if hasattr(polled, "offsets") else int(polled.offset)
