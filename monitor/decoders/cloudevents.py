"""Decodes CloudEvents with JSON data, by the binding of CloudEvents to Kafka.

In *binary* mode the attributes are headers and the message is the data; in *structured* mode the message is an object
with both. Each message says by its headers which it is. The data's fields have paths of their own, as in plain JSON;
the attribute ``time`` has the path ``ce.time``, and so on.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from monitor.decoders.contract import TopicPlan
from monitor.decoders.document import Refused, checked, parse
from monitor.decoders.messages import MessageDecoder, Reading
from monitor.decoders.shape import Path
from monitor.decoders.values import display
from monitor.events import Headers, Records

__all__ = ["ATTRIBUTES", "CloudEventsDecoder"]

ATTRIBUTES = "ce"
"""What the path of an attribute starts with."""

_REQUIRED = ("specversion", "id", "source", "type")
_DATA, _BASE64, _CONTENT_TYPE = "data", "data_base64", "datacontenttype"
_PREFIX = "ce_"
_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])

Attributes = Mapping[str, object]


class CloudEventsDecoder(MessageDecoder):
    """Decodes one topic's messages, each a CloudEvent."""

    def _prepare(self, plan: TopicPlan) -> None:
        self._wanted = [path for path in self._beside if path[0] == ATTRIBUTES]

    def _is_beside(self, path: Path) -> bool:
        return (len(path) > 1 and path[0] == ATTRIBUTES) or super()._is_beside(path)

    def _read(self, records: Records, max_bytes: int) -> Reading:
        scanned: list[bytes] = []
        beside: dict[Path, list[Any]] = {path: [] for path in self._wanted}
        slow: dict[int, Callable[[], dict[str, object]]] = {}
        names = [path[1] for path in self._wanted]
        of_each: Sequence[Headers] = records.headers or [()] * len(records)
        for index, (payload, headers) in enumerate(zip(records.payloads, of_each, strict=True)):
            try:
                attributes, data, document = _event(payload, headers, names, max_bytes)
            except Refused as refusal:
                attributes, data, document = {}, b"", _raises(refusal)
            scanned.append(data)
            slow[index] = document
            for path, values in beside.items():
                values.append(attributes.get(path[1]) if len(path) == 2 else None)
        return Reading(scanned, lambda index: slow[index](), beside)


Event = tuple[Attributes, bytes, Callable[[], dict[str, object]]]
"""The attributes; the data as JSON, empty where that is not at hand; and what makes a document of the data."""


def _event(payload: bytes | None, headers: Headers, names: Sequence[str], limit: int) -> Event:
    texts = {name.lower(): value for name, value in headers}
    content_type = _text(texts.get("content-type"))
    if content_type.lower().startswith("application/cloudevents"):
        if _media_type(content_type) != "application/cloudevents+json":
            raise Refused("not_a_cloudevent", f"structured as {content_type}; application/cloudevents+json is read")
        return _structured(payload, names, limit)
    if f"{_PREFIX}specversion" in texts:
        return _binary(payload, texts, content_type, limit)
    # Some producers leave the content type of the structured mode out.
    return _structured(payload, names, limit)


def _binary(payload: bytes | None, texts: Mapping[str, bytes | None], content_type: str, limit: int) -> Event:
    prefixed = {name.removeprefix(_PREFIX): _text(value) for name, value in texts.items() if name.startswith(_PREFIX)}
    attributes = prefixed | ({_CONTENT_TYPE: content_type} if content_type else {})
    _check(attributes)
    if not payload:
        return attributes, b"{}", dict
    _check_json(content_type)
    return attributes, checked(payload, limit), lambda: parse(payload, limit)


def _structured(payload: bytes | None, names: Sequence[str], limit: int) -> Event:
    payload = checked(payload, limit)
    try:
        parts = _envelope.decode(payload)
        named = {name: parts[name] for name in {*_REQUIRED, _CONTENT_TYPE, *names} if name in parts}
        attributes: dict[str, object] = {name: msgspec.json.decode(raw) for name, raw in named.items()}
    except (ValueError, RecursionError):
        envelope = parse(payload, limit)
        return _of_envelope(envelope)
    _check(attributes)
    if _BASE64 in parts or _DATA not in parts:
        return _of_envelope(parse(payload, limit))
    _check_json(attributes.get(_CONTENT_TYPE))
    data = bytes(parts[_DATA])
    return attributes, data, lambda: _object(parse(payload, limit)[_DATA])


def _of_envelope(envelope: dict[str, object]) -> Event:
    attributes = {name: value for name, value in envelope.items() if name not in {_DATA, _BASE64}}
    _check(attributes)
    if _DATA in envelope and _BASE64 in envelope:
        raise Refused("not_a_cloudevent", "it has both data and data_base64")
    if _BASE64 in envelope:
        _check_json(attributes.get(_CONTENT_TYPE))
        data = _bytes(envelope[_BASE64]) or b"{}"
        return attributes, data, lambda: parse(data, max(len(data), 1))
    if _DATA in envelope:
        _check_json(attributes.get(_CONTENT_TYPE))
    return attributes, b"", lambda: _object(envelope.get(_DATA, {}))


def _check(attributes: Attributes) -> None:
    for name in _REQUIRED:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise Refused("not_a_cloudevent", f"the attribute {name} is {_found(value)}")
    if not str(attributes["specversion"]).startswith("1."):
        raise Refused("not_a_cloudevent", f"specversion {display(attributes['specversion'])}; 1.x is read")


def _found(value: object) -> str:
    return "missing" if value is None or value == "" else f"{display(value)}, no text"


def _check_json(content_type: object) -> None:
    """Data without a type is JSON, as the specification has it."""
    if content_type is None or content_type == "":
        return
    kind = _media_type(content_type) if isinstance(content_type, str) else ""
    _, _, subtype = kind.partition("/")
    if subtype != "json" and not subtype.endswith("+json"):
        raise Refused("not_json", f"datacontenttype is {display(content_type)}")


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _object(data: object) -> dict[str, object]:
    if not isinstance(data, dict):
        raise Refused("not_an_object", f"expected data to be an object, found {display(data)}")
    return data


def _bytes(value: object) -> bytes:
    try:
        return b64decode(value, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, ValueError, TypeError) as error:
        raise Refused("not_a_cloudevent", f"data_base64 is {display(value)}: {error}") from error


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _raises(refusal: Refused) -> Callable[[], dict[str, object]]:
    def raises() -> dict[str, object]:
        raise refusal

    return raises
