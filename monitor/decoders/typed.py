"""Decodes messages that are written in a schema: Avro and Protobuf, with a number in front or all in one schema."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import checked
from monitor.decoders.messages import MessageDecoder, Reading
from monitor.decoders.registry import Registered
from monitor.decoders.rewritten import rewritten
from monitor.decoders.schemas import HEAD_BYTES, Numbered, framed
from monitor.events import Records

__all__ = ["Read", "TypedDecoder"]

Read = Callable[[bytes, int], dict[str, object]]
"""Makes a document of a message that begins at an index of a payload, or raises Refused."""


class TypedDecoder(MessageDecoder):
    """Decodes one topic's messages, each with the number of its schema in front unless the format names a file.

    Raises
    ------
    InputError
        A file cannot be used, or there is no registry.
    """

    kind: str
    """What the registry calls such schemas."""
    form = ""
    """In which form the registry is asked for them."""

    def _prepare(self, plan: TopicPlan) -> None:
        self._bare = self._bare_reader(plan)
        self._numbered = Numbered(self._schemas, self.kind, self._reader, self.form) if self._bare is None else None

    @abstractmethod
    def _reader(self, schema: Registered) -> Read:
        """Prepare a schema of the registry. Raises ValueError, with the reason, on one that cannot be used."""

    @abstractmethod
    def _bare_reader(self, plan: TopicPlan) -> Read | None:
        """Prepare the schema in the files that the format names, if it names any. Raises InputError."""

    def _read(self, records: Records, max_bytes: int) -> Reading:
        find = self._numbered.of_batch() if self._numbered is not None else None

        def document(index: int) -> dict[str, object]:
            payload = checked(records.payloads[index], max_bytes)
            if find is None:
                assert self._bare is not None  # one of the two there is
                return self._bare(payload, 0)
            return find(framed(payload))(payload, HEAD_BYTES)

        return rewritten(document, len(records))
