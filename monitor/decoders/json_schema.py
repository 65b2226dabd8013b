"""Decodes JSON behind the number of its JSON Schema.

The messages are JSON like any other, and are read in the same two ways. What the registry is asked for is whether each
keeps to its own schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema_rs
import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.config.formats import JsonSchemaFormat
from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import Refused, checked, parse
from monitor.decoders.messages import MessageDecoder, Reading
from monitor.decoders.registry import Registered
from monitor.decoders.schemas import HEAD_BYTES, Numbered, framed
from monitor.events import Records
from monitor.packed import Packed

__all__ = ["JsonSchemaDecoder", "Validate", "json_validator"]

Validate = Callable[[object], None]
"""Raises ValueError where a document does not keep to a schema."""

_SHOWN = 300


class JsonSchemaDecoder(MessageDecoder):
    """Decodes one topic's messages, each a JSON object behind the number of its schema.

    Raises
    ------
    InputError
        Messages are to be validated, and there is no registry.
    """

    def _prepare(self, plan: TopicPlan) -> None:
        format_ = plan.source.format
        validated = not isinstance(format_, JsonSchemaFormat) or format_.validate_
        self._numbered = Numbered(self._schemas, "JSON", json_validator) if validated else None

    def _read(self, records: Records, max_bytes: int) -> Reading:
        packed = Packed.of(records.payloads)
        readable = _whole(packed, max_bytes)
        find = self._numbered.of_batch() if self._numbered is not None else None
        if find is not None:
            for index in np.flatnonzero(readable).tolist():
                readable[index] = _keeps_to(find, packed[index] or b"")
        # What is not whole goes the slow way, which says what is wrong with it.
        starts = packed.starts + np.where(readable, HEAD_BYTES, 0)
        behind = Packed(packed.buffer, starts, np.where(readable, packed.lengths - HEAD_BYTES, 0))

        def document(index: int) -> dict[str, object]:
            payload = checked(packed[index], max_bytes)
            number = framed(payload)
            validate = find(number) if find is not None else None
            parsed = parse(payload[HEAD_BYTES:], max_bytes)
            if validate is not None:
                _check(validate, parsed, number)
            return parsed

        return Reading(behind, document)


def _whole(packed: Packed, max_bytes: int) -> NDArray[np.bool_]:
    """Which messages have a head, something behind it, and not too much."""
    framed = (packed.lengths > HEAD_BYTES) & (packed.lengths <= max_bytes)
    heads = np.frombuffer(packed.buffer, dtype=np.uint8)[packed.starts[framed]]
    framed[framed] = heads == 0
    return framed


def json_validator(schema: Registered) -> Validate:
    """Return what validates documents by a schema. Nothing is fetched for it but what the registry says it refers to.

    Raises
    ------
    ValueError
        It is no JSON Schema, or refers to more than that.
    """
    texts = dict(_all(schema))

    def retrieve(uri: str) -> object:
        for name, text in texts.items():
            if uri == name or uri.endswith(f"/{name}"):
                return json.loads(text)
        raise ValueError(f"the registry does not say what {uri!r} is")

    validator = jsonschema_rs.validator_for(json.loads(schema.text), retriever=retrieve)  # type: ignore[arg-type]
    return validator.validate


def _all(schema: Registered) -> list[tuple[str, str]]:
    named = [(name, reference.text) for name, reference in schema.references.items()]
    return named + [item for reference in schema.references.values() for item in _all(reference)]


def _keeps_to(find: Callable[[int], Validate], payload: bytes) -> bool:
    """Whether a message keeps to its schema, as far as can be told at once."""
    try:
        find(framed(payload))(msgspec.json.decode(memoryview(payload)[HEAD_BYTES:]))
    except (Refused, ValueError, RecursionError):
        return False
    return True


def _check(validate: Validate, document: object, number: int) -> None:
    try:
        validate(document)
    except jsonschema_rs.ValidationError as error:
        path = ".".join(str(part) for part in error.instance_path)
        raise Refused("schema_mismatch", f"schema {number}: {path}: {error.message}"[:_SHOWN]) from error
    except ValueError as error:
        raise Refused("schema_mismatch", f"schema {number}: {error}"[:_SHOWN]) from error
