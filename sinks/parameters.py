"""What parameters are made of: durations, names, and records that know their keys."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["DAY_MS", "LONGEST_MS", "DurationMs", "Name", "Strict", "format_duration", "parse_duration"]

DAY_MS = 86_400_000
LONGEST_MS = 36_500 * DAY_MS
"""A hundred years; times that lie further away cannot be stored."""

LARGEST_NUMBER = 2**63 - 1
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(value: object) -> int:
    """Return a duration in ms.

    Parameters
    ----------
    value : str
        One or more numbers with a unit: ``ms``, ``s``, ``m``, ``h``, ``d``, ``w``; ``1h30m`` is fine.

    Raises
    ------
    ValueError
        If a unit is missing or unknown, or the result is not a whole number of ms, or more than a hundred years.

    Examples
    --------
    >>> parse_duration("1h30m")
    5400000
    """
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, str) or not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"expected a duration with its unit, such as 30s, 5m, 1h30m or 28d, got {value!r}")
    total = sum(float(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))
    if total > LONGEST_MS:
        raise ValueError("a duration is at most a hundred years, 36500d")
    if total != int(total):
        raise ValueError(f"a duration is a whole number of ms, got {value!r}")
    return int(total)


def format_duration(duration_ms: int) -> str:
    """Write a duration as people do.

    Examples
    --------
    >>> format_duration(5_400_000), format_duration(86_400_000)
    ('1h30m', '1d')
    """
    if duration_ms == 0:
        return "0s"
    parts = []
    rest = abs(duration_ms)
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if duration_ms < 0 else "") + "".join(parts)


_AsWritten = Annotated[str, Field(pattern=rf"^\s*(?:{_PART.pattern})+\s*$")]
DurationMs = Annotated[int, BeforeValidator(parse_duration, json_schema_input_type=_AsWritten)]
"""A duration, written ``5m``, held in ms."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
Name = Annotated[str, Field(pattern=NAME)]
"""A name that is safe in an URL, a file name and a label: letters, digits, ``_ . -``."""


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")
    # What is counted or stored has eight bytes.
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise ValueError(f"a number is at most {LARGEST_NUMBER}")
    return value


def _boolean(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError("expected true or false, not a number")
    return value


_EXACT = {"int": _number, "float": _number, "bool": _boolean}
"""What is checked before a type of pydantic's core takes a value."""

_PARTS = {"schema", "choices", "definitions", "items_schema", "keys_schema", "values_schema"}
"""Where a schema holds others."""


def _exact(schema: Any, model: type[BaseModel]) -> Any:
    """Let no part of a schema take what pydantic takes for a number or a boolean, and is none."""
    if isinstance(schema, (list, tuple)):
        return type(schema)(_exact(part, model) for part in schema)
    if not isinstance(schema, dict) or (schema.get("type") == "model" and schema["cls"] is not model):
        return schema
    parts = {key: _exact_part(key, part, model) for key, part in schema.items()}
    exact = _EXACT.get(str(schema.get("type")))
    return core_schema.no_info_before_validator_function(exact, parts) if exact is not None else parts


def _exact_part(key: str, part: Any, model: type[BaseModel]) -> Any:
    if key in {"fields", "choices"} and isinstance(part, dict):
        return {name: _exact(value, model) for name, value in part.items()}
    return _exact(part, model) if key in _PARTS else part


class Strict(BaseModel):
    """An unknown key is an error, a number is no boolean, and a loaded configuration does not change.

    Text that says a number or a boolean is taken for one: environment variables hold nothing else.

    Examples
    --------
    >>> class Server(Strict):
    ...     port: int
    ...     ports: list[int] = []
    >>> Server(port="8080").port
    8080
    >>> try:
    ...     Server(port=False, ports=[1, True])
    ... except ValueError as error:
    ...     print([(item["loc"], item["msg"]) for item in error.errors()])  # doctest: +NORMALIZE_WHITESPACE
    [(('port',), 'Value error, expected a number, not true or false'),
     (('ports', 1), 'Value error, expected a number, not true or false')]
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = _exact(handler(source), cls)
        return schema
