"""Decodes Avro, by the schema whose number stands in front of each message, or by one schema for all of them.

A message is read by the schema that it was written with, so schemas may change in the middle of a topic.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader

# The same reader before it is compiled: only it stops at a depth that the stack cannot take.
from fastavro._read_py import schemaless_reader as slow_reader
from fastavro.schema import SchemaParseException

from monitor.decoders.avro_values import Conversions, without_logical_types
from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import Refused
from monitor.decoders.registry import Registered
from monitor.decoders.typed import Read, TypedDecoder
from monitor.decoders.values import display
from monitor.errors import InputError

__all__ = ["AvroDecoder", "avro_reader"]

MAX_NESTING = 64
"""How often a type may hold one of its own kind."""

_SHALLOW_BYTES = 1_000
"""A level of nesting takes a byte at least; the compiled reader ends the process some thousands deep."""

_MISFITS = (EOFError, ValueError, IndexError, KeyError, TypeError, ArithmeticError, struct.error, MemoryError)


class AvroDecoder(TypedDecoder):
    r"""Decodes one topic's messages, each an Avro record.

    Examples
    --------
    >>> schema = '{"type": "record", "name": "Event", "fields": [{"name": "amount", "type": "double"}]}'
    >>> read = avro_reader(schema, {})
    >>> read(b"\x00\x00\x00\x00\x00\x00\xf8?", 0)
    {'amount': 1.5}
    """

    kind = "AVRO"

    def _reader(self, schema: Registered) -> Read:
        return avro_reader(schema.text, schema.references)

    def _bare_reader(self, plan: TopicPlan) -> Read | None:
        name = plan.source.format.files.get("schema")
        if name is None:
            return None
        try:
            return avro_reader(self._schemas.read(plan.model, name).decode(), {})
        except ValueError as error:
            raise InputError(f"model {plan.model!r}: {name} is no Avro schema: {error}") from error


def avro_reader(schema: str, references: Mapping[str, Registered]) -> Read:
    """Return what reads records of a schema.

    Parameters
    ----------
    schema : str
        As JSON.
    references : mapping of str to Registered
        Schemas with the named types that it uses.

    Raises
    ------
    ValueError
        It is no schema, or none of a record.
    """
    stored: dict[str, Any] = {}
    meant: dict[str, Any] = {}
    try:
        parsed = _parsed(schema, references, stored, logical=False)
        conversions = Conversions(meant)
        convert = conversions.of(_parsed(schema, references, meant, logical=True))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except SchemaParseException as error:
        raise ValueError(f"no Avro schema: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no Avro schema: {error!r}") from error
    recursive = conversions.recursive

    def read(payload: bytes, start: int) -> dict[str, object]:
        file = BytesIO(payload)
        file.seek(start)
        slow = recursive and len(payload) > _SHALLOW_BYTES
        try:
            document: Any = (slow_reader if slow else schemaless_reader)(file, parsed, None)
        except RecursionError as error:
            raise Refused("schema_mismatch", f"nested more than {MAX_NESTING} deep") from error
        except _MISFITS as error:
            detail = f"{type(error).__name__} {error}".rstrip()
            raise Refused("schema_mismatch", f"not of the schema: {detail}, at byte {file.tell()}") from error
        if file.tell() != len(payload):
            raise Refused("schema_mismatch", f"{len(payload) - file.tell()} bytes are left behind the record")
        if recursive and _is_deep(document):
            raise Refused("schema_mismatch", f"nested more than {MAX_NESTING} deep")
        if convert is not None:
            document = convert(document)
        if not isinstance(document, dict):
            raise Refused("not_an_object", f"expected a record, found {display(document)}")
        return document

    return read


def _parsed(schema: str, references: Mapping[str, Registered], named: dict[str, Any], *, logical: bool) -> Any:
    """Parse a schema behind what it refers to, each of which may be referred to more than once."""
    for reference in references.values():
        _parsed(reference.text, reference.references, named, logical=logical)
    written = json.loads(schema)
    if isinstance(written, dict) and _full_name(written) in named:
        return named[_full_name(written)]
    return parse_schema(written if logical else without_logical_types(written), named)


def _full_name(schema: Mapping[str, Any]) -> str:
    name, namespace = str(schema.get("name", "")), schema.get("namespace")
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _is_deep(value: object, room: int = MAX_NESTING) -> bool:
    if isinstance(value, dict):
        return not room or any(_is_deep(item, room - 1) for item in value.values())
    return isinstance(value, list) and (not room or any(_is_deep(item, room - 1) for item in value))
