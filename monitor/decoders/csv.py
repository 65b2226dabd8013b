"""Decodes rows of comma-separated values, one a message."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable

import msgspec

from monitor.config.formats import CsvFormat
from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import Refused, checked, decoded
from monitor.decoders.messages import MessageDecoder, Reading
from monitor.decoders.shape import Path
from monitor.decoders.values import Cell
from monitor.events import Records

__all__ = ["CsvDecoder"]


class CsvDecoder(MessageDecoder):
    """Decodes one topic's messages, each one row of the columns that the format names."""

    def _prepare(self, plan: TopicPlan) -> None:
        format_ = plan.source.format
        assert isinstance(format_, CsvFormat)  # by which this decoder was chosen
        self._columns = format_.columns
        self._kinds = self._kinds_of_columns()
        self._keys = [msgspec.json.encode(name) + b":" for name in self._columns]
        self._missing = frozenset(format_.missing)
        self._quoting = csv.QUOTE_NONE if format_.quote is None else csv.QUOTE_MINIMAL
        self._marks = {"delimiter": format_.delimiter, "quotechar": format_.quote}

    def _is_text(self, path: Path) -> bool:
        return True

    def _read(self, records: Records, max_bytes: int) -> Reading:
        def document(index: int) -> dict[str, object]:
            row = self._row(records.payloads[index], max_bytes)
            return {
                name: None if value in self._missing else Cell(value)
                for name, value in zip(self._columns, row, strict=True)
            }

        return Reading([self._as_json(payload, max_bytes) for payload in records.payloads], document)

    def _kinds_of_columns(self) -> list[str] | None:
        """What each column is read as, empty for one that nobody reads; None if one is read as two things.

        Who counts further fields may find any of them, so nothing is known then either.
        """
        if self._extra:
            return None
        uses: dict[str, set[str]] = {}
        for model in self._models:
            for path, use in model.uses():
                uses.setdefault(path[0], set()).add("text" if use == "where" else use)
        kinds = [uses.get(name, {""}) for name in self._columns]
        return [next(iter(kind)) for kind in kinds] if all(len(kind) == 1 for kind in kinds) else None

    def _as_json(self, payload: bytes | None, max_bytes: int) -> bytes:
        """A row as JSON that the scanner reads as the document; nothing where it takes a document."""
        if self._kinds is None:
            return b""
        try:
            row = self._row(payload, max_bytes)
        except Refused:  # it is refused again where a reason is asked for
            return b""
        parts = [
            key + (b"null" if value in self._missing else _WRITTEN[kind](value))
            for key, kind, value in zip(self._keys, self._kinds, row, strict=True)
            if kind
        ]
        return b"{%s}" % b",".join(parts)

    def _row(self, payload: bytes | None, max_bytes: int) -> list[str]:
        text = decoded(checked(payload, max_bytes))
        lines = [text.removesuffix("\n").removesuffix("\r")]
        try:
            rows = list(csv.reader(lines, strict=True, quoting=self._quoting, **self._marks))  # type: ignore[arg-type]
        except csv.Error as error:
            raise Refused("not_csv", str(error)) from error
        row = rows[0] if rows and rows[0] else [""]
        if len(row) != len(self._columns):
            raise Refused("wrong_columns", f"{len(row)} columns; {len(self._columns)} are named")
        return row


def _number(value: str) -> bytes:
    """A number; what is none is a text, and at a list the scanner stops."""
    if _JSON_NUMBER(value):
        return value.encode()
    parsed = Cell(value).parsed()
    if isinstance(parsed, float) and not math.isfinite(parsed):
        return b"[]"
    return json.dumps(parsed, ensure_ascii=False).encode()


def _time(value: str) -> bytes:
    """A fraction is a number; texts of digits and ISO 8601 are read as they are."""
    fraction = Cell(value).fraction()
    return msgspec.json.encode(value) if fraction is None else json.dumps(fraction).encode()


_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,3})?").fullmatch
_WRITTEN: dict[str, Callable[[str], bytes]] = {"number": _number, "text": msgspec.json.encode, "time": _time}
