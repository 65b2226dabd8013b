"""Parses one message the slow way: the standard library's JSON, with a reason for everything that is refused."""

from __future__ import annotations

import codecs
import json
import re

from monitor.decoders.values import display, text

__all__ = ["MAX_DEPTH", "MAX_PAYLOAD_BYTES", "Refused", "checked", "decoded", "is_tame", "parse", "text_at", "value_at"]

MAX_PAYLOAD_BYTES = 1 << 20
MAX_DEPTH = 256
"""Deeper nesting is refused here, where the limit is ours: the parsers' own depends on the caller's stack."""

# Possessive, and satisfied with an unclosed string at the end, so that no input makes it try twice.
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class Refused(Exception):  # noqa: N818 -- a verdict on a message, not an error of ours
    """Why a payload is no JSON object.

    Parameters
    ----------
    reason : str
        One of the codes of ``docs/dead-letters.md``.
    detail : str
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def parse(payload: bytes | None, max_bytes: int = MAX_PAYLOAD_BYTES) -> dict[str, object]:
    """Return the object that a payload holds. NaN and ±Infinity are accepted as numbers.

    Raises
    ------
    Refused

    Examples
    --------
    >>> parse(b'{"x": NaN, "x": 1}')
    {'x': 1}
    """
    payload = checked(payload, max_bytes)
    text = decoded(payload)
    if not is_tame(payload):
        raise Refused("not_json", f"nested more than {MAX_DEPTH} deep")
    try:
        document = json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        near = display(text[max(0, error.pos - 20) : error.pos + 20])
        raise Refused("not_json", f"{error.msg} at character {error.pos}, near {near}") from error
    if not isinstance(document, dict):
        raise Refused("not_an_object", f"expected an object, found {display(document)}")
    return document


def checked(payload: bytes | None, max_bytes: int) -> bytes:
    """Return a payload that holds something, and not too much of it.

    Raises
    ------
    Refused
    """
    if not payload:
        raise Refused("empty", "no payload" if payload is None else "a payload of no bytes")
    if len(payload) > max_bytes:
        raise Refused("too_large", f"{len(payload)} bytes; at most {max_bytes} are read")
    return payload


def decoded(payload: bytes) -> str:
    """Return the text that a payload holds.

    Raises
    ------
    Refused
    """
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        is_utf_16 = payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        reason = "it begins as UTF-16 does" if is_utf_16 else error.reason
        raise Refused("not_utf8", f"byte {error.start} of {len(payload)}: {reason}") from error


def text_at(document: dict[str, object], path: str) -> str:
    """Return the text, or the integer as a text, at a dotted path; empty if there is none.

    Examples
    --------
    >>> text_at({"customer": {"id": 7}}, "customer.id"), text_at({"customer": 7}, "customer.id")
    ('7', '')
    """
    return text(value_at(document, path))[0]


def value_at(document: dict[str, object], path: str) -> object:
    """Return what stands at a dotted path; None if there is nothing.

    Examples
    --------
    >>> value_at({"customer": {"id": [7]}}, "customer.id")
    [7]
    """
    value: object = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def is_tame(payload: bytes) -> bool:
    """Whether nothing in the payload is nested more than ``MAX_DEPTH`` deep."""
    if len(payload) < 2 * MAX_DEPTH or payload.count(b"{") + payload.count(b"[") <= MAX_DEPTH:
        return True
    depth = deepest = 0
    for token in _BRACKETS.finditer(payload):
        byte = token[0][0]
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest <= MAX_DEPTH


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts: beyond any float as well
        return float(digits)
