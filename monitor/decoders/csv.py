"""Decodes rows of comma-separated values, one a message."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from monitor.config.formats import CsvFormat
from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import MAX_PAYLOAD_BYTES, Refused, checked, decoded
from monitor.decoders.messages import MessageDecoder, Reading
from monitor.decoders.schemas import NO_SCHEMAS, Schemas
from monitor.decoders.shape import Path
from monitor.decoders.values import Cell
from monitor.events import Records

__all__ = ["CsvDecoder"]


class CsvDecoder(MessageDecoder):
    """Decodes one topic's messages, each one row of the columns that the format names.

    Parameters
    ----------
    plans : sequence of TopicPlan
    schemas : Schemas
    max_payload_bytes : int
    """

    def __init__(
        self,
        plans: Sequence[TopicPlan],
        schemas: Schemas = NO_SCHEMAS,
        *,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        super().__init__(plans, schemas, max_payload_bytes=max_payload_bytes)
        format_ = plans[0].source.format
        assert isinstance(format_, CsvFormat)  # by which this decoder was chosen
        self._columns = format_.columns
        self._missing = frozenset(format_.missing)
        self._quoting = csv.QUOTE_NONE if format_.quote is None else csv.QUOTE_MINIMAL
        self._marks = {"delimiter": format_.delimiter, "quotechar": format_.quote}

    def _is_text(self, path: Path) -> bool:
        return True

    def _read(self, records: Records, max_bytes: int) -> Reading:
        def document(index: int) -> dict[str, object]:
            text = decoded(checked(records.payloads[index], max_bytes))
            row = self._row(text)
            if len(row) != len(self._columns):
                raise Refused("wrong_columns", f"{len(row)} columns; {len(self._columns)} are named")
            return {
                name: None if value in self._missing else Cell(value)
                for name, value in zip(self._columns, row, strict=True)
            }

        return Reading([b""] * len(records), document)

    def _row(self, text: str) -> list[str]:
        lines = [text.removesuffix("\n").removesuffix("\r")]
        try:
            rows = list(csv.reader(lines, strict=True, quoting=self._quoting, **self._marks))  # type: ignore[arg-type]
        except csv.Error as error:
            raise Refused("not_csv", str(error)) from error
        return rows[0] if rows and rows[0] else [""]
