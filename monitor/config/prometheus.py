"""How Prometheus and Alertmanager write durations, labels and matchers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from monitor.routing.matchers import Matcher, parse_matchers
from monitor.values import LONGEST_MS, Strict, format_duration

__all__ = [
    "Label",
    "Matchers",
    "Pasted",
    "PrometheusDuration",
    "Values",
    "matchers",
    "old_style",
    "parse_prometheus_duration",
]


class Pasted(Strict):
    """A part of Alertmanager's configuration: a key without a value counts as absent.

    Examples
    --------
    >>> class Part(Pasted):
    ...     routes: list[str] = []
    >>> Part.model_validate({"routes": None}).routes
    []
    """

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        # An unknown key is a mistake, though nothing stands behind it.
        keys = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: part for key, part in value.items() if part is not None or key not in keys}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written = handler.resolve_ref_schema(handler(schema))
        keys = written.get("properties", {})
        written["properties"] = {key: {"anyOf": [part, {"type": "null"}]} for key, part in keys.items()}
        return written


_UNITS = (("y", 365 * 86_400_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000))
_DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms")))
_PARTS_MS = [ms for _, ms in _UNITS] + [1_000, 1]
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def parse_prometheus_duration(value: object) -> int:
    """Return a duration as Prometheus writes it in ms: whole numbers, units from large to small, or ``0``.

    Examples
    --------
    >>> parse_prometheus_duration("1h30m"), parse_prometheus_duration("0")
    (5400000, 0)
    """
    text = str(value)
    match = _DURATION.fullmatch(text)
    if text == "0" and not isinstance(value, bool):
        return 0
    if not isinstance(value, str) or not text or match is None:
        raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {value!r}")
    parts = [(part, ms) for part, ms in zip(match.groups(), _PARTS_MS, strict=True) if part]
    if sum(float(part) * ms for part, ms in parts) > LONGEST_MS:
        raise ValueError("a duration is at most a hundred years, 100y")
    return sum(int(part) * ms for part, ms in parts)


def _text(value: object) -> object:
    """YAML reads a plain 1 or true as something else than the text that Alertmanager takes it for."""
    return str(value).lower() if isinstance(value, bool | int | float) else value


def matchers(value: object) -> object:
    """Return the matchers of a list of texts, each of which may hold several."""
    if not isinstance(value, list):
        raise ValueError("expected a list of matchers, such as ['team=\"a\"', 'severity=~\"warning|critical\"']")
    parsed: list[Matcher] = []
    for text in value:
        if isinstance(text, dict | list):
            raise ValueError(f"expected a matcher in text, such as 'team=\"a\"', got {text!r}")
        parsed += [text] if isinstance(text, Matcher) else parse_matchers(str(_text(text)))
    return parsed


def _label(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected the name of a label, got {value!r}")
    return value


PrometheusDuration = Annotated[
    int,
    BeforeValidator(parse_prometheus_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
Matchers = Annotated[
    list[Matcher],
    BeforeValidator(matchers),
    PlainSerializer(lambda matchers: [str(matcher) for matcher in matchers]),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
Values = dict[
    Annotated[str, Field(pattern=f"^{_LABEL.pattern}$")],
    Annotated[str, BeforeValidator(_text, json_schema_input_type=str | bool | float)],
]
Label = Annotated[str, BeforeValidator(_label)]


def old_style(equal: dict[str, str], expressions: dict[str, str]) -> Iterator[Matcher]:
    """What `match` and `match_re` say; the text of an expression is what Alertmanager's group keys hold."""
    for name, value in equal.items():
        yield Matcher(name, "=", value)
    for name, value in expressions.items():
        yield Matcher(name, "=~", f"^(?:{value})$")
