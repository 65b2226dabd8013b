"""From messages to the events of every model that reads the topic, whatever the messages are written in.

A format says of a batch which bytes are JSON that the scanner may read, and makes a document of every message that the
scanner refuses or that is no JSON at all. Both lead to the same values: which way a message took never shows in the
result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.decoders.arrays import cut
from monitor.decoders.columns import ModelColumns, Rows
from monitor.decoders.contract import Decoded, Named, TopicPlan
from monitor.decoders.document import MAX_PAYLOAD_BYTES, Refused, text_at
from monitor.decoders.extra import ExtraFields
from monitor.decoders.scan import scan
from monitor.decoders.schemas import NO_SCHEMAS, Schemas
from monitor.decoders.shape import HEADER, Columns, Path, Shape, split
from monitor.decoders.values import text
from monitor.events import REJECTED, Headers, Problem, Records
from monitor.packed import Packed

__all__ = ["MessageDecoder", "Reading"]

_NO_MODEL = ""
_Key = tuple[object, ...]


@dataclass(slots=True)
class Reading:
    """What a format makes of a batch of n messages.

    Attributes
    ----------
    json : sequence of (bytes or None) [n]
        The messages, or the parts of them, that may be JSON objects; an empty one is left to ``document``.
    document : callable
        Returns the document of the message at an index, or raises :class:`~monitor.decoders.document.Refused`.
    beside : dict of path to list [n]
        Values that stand beside the documents, by their whole path.
    """

    json: Sequence[bytes | None]
    document: Callable[[int], dict[str, object]]
    beside: dict[Path, list[Any]] = field(default_factory=dict)


class MessageDecoder:
    """Decodes one topic's messages; a subclass knows their format.

    Parameters
    ----------
    plans : sequence of TopicPlan
        The models that read the topic; all say the same of its format.
    schemas : Schemas
    max_payload_bytes : int
        Larger messages are rejected.
    """

    def __init__(
        self,
        plans: Sequence[TopicPlan],
        schemas: Schemas = NO_SCHEMAS,
        *,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        self.scanned = self.parsed = 0
        """Messages read many at a time, and one by one."""
        self._models = [ModelColumns(plan) for plan in plans]
        paths: dict[Path, set[str]] = {}
        for model in self._models:
            for path, use in model.uses():
                paths.setdefault(path, set()).add(use)
        self._beside = [path for path in paths if self._is_beside(path)]
        self._cut = {
            (path, size)
            for model in self._models
            for _, path, size in model.vectors
            if paths[path] == {"vector"} and path not in self._beside
        }
        self._headers = [path for path in self._beside if path[0].startswith(HEADER)]
        self._schemas = schemas
        self._shape = Shape({path: uses for path, uses in paths.items() if path not in self._beside})
        self._max_payload_bytes = max_payload_bytes
        self._everyone = [model for model in self._models if not model.where]
        self._by_where = self._grouped_by_where()
        counting = [model for model in self._models if model.plan.schema.extra == "count" and model.by is None]
        self._extra = {model.name: ExtraFields(model) for model in counting}
        self._prepare(plans[0])

    def _prepare(self, plan: TopicPlan) -> None:
        """Make ready what the format needs, of which each of the plans says the same. Raises InputError."""

    def _is_beside(self, path: Path) -> bool:
        """Whether a path's values stand beside the documents; unless it is a header, :meth:`_read` has to give them."""
        return path[0].startswith(HEADER)

    def _is_text(self, path: Path) -> bool:
        """Whether a path's values are texts, whatever they stand for."""
        return path[0].startswith(HEADER)

    def _read(self, records: Records, max_bytes: int) -> Reading:
        """Say what messages are, of which larger ones are refused; must not raise on what a message holds."""
        raise NotImplementedError

    def decode(self, records: Records) -> Decoded:
        """Decode consecutive messages of one partition. Never raises on what a message holds.

        Parameters
        ----------
        records : Records
            A payload may be None, as Kafka's tombstones are.

        Returns
        -------
        Decoded
        """
        decoded = Decoded()
        rows = self._rows(records, decoded)
        for model in self._everyone:
            self._decode_model(model, records.partition, rows, decoded)
        matched = np.full(len(rows), any(model.by is None for model in self._everyone))
        for model, chosen in self._matches(rows):
            matched[chosen] |= model.by is None
            self._decode_model(model, records.partition, rows.take(chosen), decoded)
        decoded.unmatched = len(rows) - int(matched.sum())
        decoded.problems.sort(key=lambda item: (item[1].offset, item[0], item[1].field))
        return decoded

    def text_at(self, payload: bytes | None, headers: Headers, path: str) -> str:
        """The text, or integer as a text, at a path of one message of any size; empty where there is none.

        The path is one of those that the models read.
        """
        nothing = np.zeros(1, dtype=np.int64)
        records = Records("", 0, nothing, nothing, [payload], headers=[headers])
        reading = self._read(records, max(len(payload or b""), 1))
        beside = reading.beside | self._header_values(records)
        try:
            return text(beside[split(path)][0])[0] if split(path) in beside else text_at(reading.document(0), path)
        except Refused:
            return ""

    def state(self, partition: int) -> dict[str, object]:
        """What was settled by the partition's messages so far, as JSON-able values, for its checkpoint."""
        return {"extra": {name: extra.seen(partition) for name, extra in self._extra.items()}}

    def restore(self, partition: int, state: Mapping[str, object]) -> None:
        """Go on from what :meth:`state` returned; models that are new since then start afresh."""
        self.forget(partition)
        seen = cast("Mapping[str, list[str]]", state.get("extra", {}))
        for name, extra in self._extra.items():
            extra.restore(partition, seen.get(name, ()))

    def forget(self, partition: int) -> None:
        """Drop the state of a partition that another process reads from now on."""
        for extra in self._extra.values():
            extra.restore(partition, ())

    def _decode_model(self, model: ModelColumns, partition: int, rows: Rows, decoded: Decoded) -> None:
        if model.by is not None:
            if len(rows):
                decoded.named[model.name] = Named(rows.offsets, rows.record_ms, rows.coded(model.by))
            return
        if len(rows):
            rows = model.build(rows, self._shape, decoded)
        if model.name in self._extra:
            self._extra[model.name].count(partition, rows, decoded)

    def _rows(self, records: Records, decoded: Decoded) -> Rows:
        reading = self._read(records, self._max_payload_bytes)
        json, arrays = Packed.of(reading.json), None
        if self._cut:
            json, arrays = cut(json, {dimension for _, dimension in self._cut})
        scanned = scan(self._shape.keys, json, self._max_payload_bytes)
        if arrays is not None:
            slots = self._shape.slots
            arrays.refuse(scanned, [(slots[path], dimension) for path, dimension in self._cut if path in slots])
        documents: dict[int, object] = {}
        refused: list[int] = []
        for index in np.flatnonzero(~scanned.ok).tolist():
            try:
                documents[index] = reading.document(index)
            except Refused as refusal:
                refused.append(index)
                problem = Problem(int(records.offsets[index]), REJECTED, refusal.reason, "", refusal.detail)
                decoded.problems.append((_NO_MODEL, problem))
        columns = Columns(self._shape, scanned, documents, reading.beside | self._header_values(records), arrays)
        one_by_one = len(documents) + len(refused)
        self.parsed += one_by_one
        self.scanned += len(records) - one_by_one
        rows = Rows(
            records.offsets,
            records.timestamps_ms,
            json,
            columns,
            list(documents),
            are_times_given=records.are_times_given,
        )
        return rows.take(np.delete(np.arange(len(rows)), refused)) if refused else rows

    def _header_values(self, records: Records) -> dict[Path, list[str | None]]:
        if not self._headers:
            return {}
        of_each = [dict(headers) for headers in records.headers] if records.headers else [{}] * len(records)
        return {
            path: [_text(headers.get(path[0].removeprefix(HEADER))) for headers in of_each] for path in self._headers
        }

    def _grouped_by_where(self) -> dict[tuple[Path, ...], list[tuple[ModelColumns, _Key]]]:
        """The models that filter, by the paths they filter on: each path is looked at once for all of them."""
        grouped: dict[tuple[Path, ...], list[tuple[ModelColumns, _Key]]] = {}
        for model in self._models:
            if model.where:
                paths = tuple(sorted(model.where))
                key = tuple(self._wanted_value(path, model.where[path]) for path in paths)
                grouped.setdefault(paths, []).append((model, key))
        return grouped

    def _wanted_value(self, path: Path, value: str | int | bool) -> object:
        """What the values at a path have to equal."""
        if self._is_text(path):
            return str(value).lower() if isinstance(value, bool) else str(value)
        return _equal(value)

    def _matches(self, rows: Rows) -> Iterator[tuple[ModelColumns, NDArray[np.int64]]]:
        for paths, models in self._by_where.items():
            places: dict[_Key, list[NDArray[np.int64]]] = {}
            for key, indices in _grouped([rows.coded(path) for path in paths]):
                places.setdefault(key, []).append(indices)
            for model, key in models:
                if key in places:
                    yield model, np.sort(np.concatenate(places[key]))


def _grouped(columns: Sequence[Coded[Any]]) -> Iterator[tuple[_Key, NDArray[np.int64]]]:
    """The combinations of values that occur, each with its rows; equal values may come apart."""
    codes = columns[0].codes
    for column in columns[1:]:
        codes = codes * len(column.names) + column.codes
    order = np.argsort(codes, kind="stable")
    firsts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for indices in np.split(order, firsts[1:]):
        if len(indices):
            yield tuple(_equal(column[int(indices[0])]) for column in columns), indices


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _equal(value: object) -> object:
    """A key that is equal for equal JSON values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("bool", value)
    return value if isinstance(value, (int, float)) else None
