"""From a document to what it stands for: every mistake with its place, and the key that was meant."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from monitor.config.alerting import is_alertmanagers
from monitor.config.detect import Rule
from monitor.config.document import VARIABLE, Document, KeyPath, Mistake
from monitor.config.layers import RULES, ModelDefaults, rules_of, sample_of
from monitor.config.model import Model
from monitor.config.plain_secrets import plain_secrets
from monitor.values import WrongPartError
from sinks.parameters import NAME
from sinks.receivers import RECEIVERS, parameters_class
from sinks.receivers.parameters import Parameters

__all__ = ["mistakes_of", "validated", "wrong_defaults"]

T = TypeVar("T", bound=BaseModel)

STAND_INS = ("stand-in", "v" + "0123456789abcdef" * 4, "1", "1h", "true")
"""In place of a variable that is not set: a name, a secret, a number, a duration, a switch."""

SECTION_ERRORS = ("model_type", "model_attributes_type", "dict_type", "mapping_type")
LIST_ERRORS = ("list_type", "tuple_type")
"""How pydantic calls what stands where a section, or a list, belongs."""

MEANT = {
    "numeric": ("number", "num", "int", "integer", "float", "double", "decimal", "real", "long", "continuous"),
    "category": ("categorical", "categories", "string", "str", "text", "enum", "bool", "boolean", "object", "factor"),
    "vector": ("list", "array", "embedding", "tensor"),
    "s": ("sec", "secs", "second", "seconds", "epoch", "unix"),
    "ms": ("milli", "millis", "msec", "millisecond", "milliseconds"),
    "us": ("micro", "micros", "usec", "µs", "microsecond", "microseconds"),
    "ns": ("nano", "nanos", "nanosecond", "nanoseconds"),
    "iso": ("iso8601", "iso 8601", "iso-8601", "rfc3339", "datetime", "date", "timestamp", "string"),
}
"""What other tools call the choices of a key."""

MOST_MISTAKES = 200
"""So many of a document are put into words: nobody mends thousands at a time."""


def validated(kind: type[T], document: Document, mistakes: list[Mistake]) -> T | None:
    """Return what a document stands for, or add to the mistakes what is wrong with it."""
    try:
        # By the names of keys in files alone, and not by those of attributes, such as `for_ms`.
        value = kind.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        mistakes += mistakes_of(kind, document, error.errors())
        is_known = not document.holds_unknown(())
        stand_in = None if is_known else _stand_in(kind, document, error.errors(), mistakes)
        if stand_in is None:
            return None
        value = stand_in
    mistakes += _written_secrets(document, value)
    return value


def _stand_in(kind: type[T], document: Document, errors: Sequence[Any], mistakes: list[Mistake]) -> T | None:
    """Return what a document may stand for whose variables are not all set: whatever fits stands in for these."""
    value = deepcopy(document.value)
    for text in (*STAND_INS, None):
        paths = {path for item in errors if document.is_unknown(path := _inside(item["loc"], value)[1])}
        for path in paths:
            *within, key = path
            section = reduce(getitem, within, value)
            if text is not None:
                section[key] = VARIABLE.sub(text, reduce(getitem, path, document.value))
            elif isinstance(section, dict):
                del section[key]
        if not paths:
            mistakes += _wrong_anyway(kind, document, errors)
            return None
        try:
            return kind.model_validate(value, by_alias=True, by_name=False)
        except ValidationError as error:
            errors = error.errors()
            # Without the key, what is wrong may be that it is not there.
            mistakes += mistakes_of(kind, document, errors) if text is not None else []
    return None


def _wrong_anyway(kind: type[BaseModel], document: Document, errors: Sequence[Any]) -> Iterator[Mistake]:
    """Yield what is wrong with sections that hold what is not known, if it is so without that, too."""
    try:
        kind.model_validate(_without_unknown(document, document.value), by_alias=True, by_name=False)
    except ValidationError as error:
        without = {_located(kind, document, item) for item in error.errors()}
        for path, message in without & {_located(kind, document, item) for item in errors}:
            if document.holds_unknown(path) and not document.is_unknown(path):
                yield document.mistake(path, message)


def _without_unknown(document: Document, value: Any, path: KeyPath = ()) -> Any:
    if isinstance(value, list):
        return [_without_unknown(document, part, (*path, index)) for index, part in enumerate(value)]
    if not isinstance(value, dict):
        return value
    keys = [key for key in value if not document.is_unknown((*path, key))]
    return {key: _without_unknown(document, value[key], (*path, key)) for key in keys}


def wrong_defaults(document: Document) -> list[Mistake]:
    """Return what is wrong with a document of ``kind: Defaults``, as far as it shows without a model."""
    mistakes: list[Mistake] = []
    if validated(ModelDefaults, document, mistakes) is None:
        return mistakes
    mistakes += _wrong_rules(document)
    sample = Document(
        document.file, sample_of(document), document.positions, document.referenced, unknown=document.unknown
    )
    try:
        Model.model_validate(sample.value, by_alias=True, by_name=False)
    except ValidationError as error:
        wrong = [item for item in error.errors() if not _is_incomplete(item, sample.value)]
        mistakes += mistakes_of(Model, sample, wrong)
    return mistakes


def _wrong_rules(document: Document) -> Iterator[Mistake]:
    from monitor.config.references import wrong_anywhere

    rules: dict[int, Rule] = {}
    for index, rule in enumerate(rules_of(document)):
        with suppress(ValidationError):
            rules[index] = Rule.model_validate(rule)
    for path, message in wrong_anywhere(rules):
        yield document.mistake((*RULES, *path), message)


def mistakes_of(kind: type[BaseModel], document: Document, errors: Sequence[Any]) -> list[Mistake]:
    """Translate what pydantic found to mistakes in a document: none in what is not known of it."""
    located = [_located(kind, document, item) for item in errors[:MOST_MISTAKES]]
    mistakes = [document.mistake(*wrong) for wrong in located if not document.holds_unknown(wrong[0])]
    if len(errors) > MOST_MISTAKES:
        message = f"{len(errors):,} mistakes, of which the first {MOST_MISTAKES} are listed"
        mistakes.append(document.mistake((), message))
    return mistakes


def _is_incomplete(item: Any, value: Any) -> bool:
    """Whether an error of a part may be none once a model has said the rest; lists are never completed."""
    if any(isinstance(part, int) for part in item["loc"]):
        return False
    inside, _ = _inside(item["loc"], value)
    # A model above may say what makes its other parts fit.
    is_section = isinstance(inside, dict)
    return item["type"] == "missing" or (item["type"] == "value_error" and is_section)


def _written_secrets(document: Document, value: BaseModel) -> Iterator[Mistake]:
    """Secrets that a file holds itself."""
    message = "a secret is not written down: name the environment variable that holds it, such as ${PASSWORD}"
    for path in plain_secrets(value):
        written, key = document.origin(path)
        if key in written.positions and key not in written.referenced:
            yield document.mistake(path, message)


def _located(kind: type[BaseModel], document: Document, item: Any) -> tuple[KeyPath, str]:
    if item["type"] == "missing":
        *within, key = item["loc"]
        _, path = _inside(within, document.value)
        return (*path, key), "required key is missing"
    _, path = _inside(item["loc"], document.value)
    if item["type"] == "union_tag_not_found":
        return (*path, "kind"), f"required key is missing; it is {_kinds(kind, item['loc'])}"
    if item["type"] == "union_tag_invalid":
        return (*path, "kind"), f"unknown kind; it is {_kinds(kind, item['loc'])}"
    error = item.get("ctx", {}).get("error")
    if isinstance(error, WrongPartError):
        path += error.path
    return path, _message(kind, document, item)


def _kinds(kind: type[BaseModel], loc: Sequence[str | int]) -> str:
    """The kinds of section that may stand at a location of pydantic's."""
    kinds = [tag for section in _sections_at(kind, loc) for tag in get_args(section.model_fields["kind"].annotation)]
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}"


def _inside(loc: Sequence[str | int], value: Any) -> tuple[Any, KeyPath]:
    """Follow pydantic's location into a document: it holds the tags of unions, which files do not."""
    path: list[str | int] = []
    for part in loc:
        is_key = isinstance(value, dict) and part in value
        if is_key or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[part]
            path.append(part)
    return value, tuple(path)


def _message(kind: type[BaseModel], document: Document, item: Any) -> str:
    if item["type"] in SECTION_ERRORS:
        keys = {field.alias or name for at in _sections_at(kind, item["loc"]) for name, field in _fields(at, {})}
        if keys and item["type"] == "dict_type":
            return f"names belong here, `{{NAME: {{key: value}}}}`; the keys of each are {', '.join(sorted(keys))}"
        return "a section belongs here, `{key: value}`" + (f"; its keys are {', '.join(sorted(keys))}" if keys else "")
    if item["type"] in LIST_ERRORS:
        return "a list belongs here, `[one, another]`"
    if item["type"] != "extra_forbidden":
        # The message alone: the error's input may hold a secret.
        return str(item["msg"]).removeprefix("Value error, ") + _hint(item)
    *within, key = item["loc"]
    if is_alertmanagers(str(key)):
        instead = ": have routes name a receiver of spec.receivers, such as one of kind apprise or webhook"
        return "Alertmanager knows this key, but Leeway does not support it" + instead * str(key).endswith("_configs")
    value, _ = _inside(within, document.value)
    keys = {field.alias or name for section in _sections_at(kind, within) for name, field in _fields(section, value)}
    return _unknown(str(key), sorted(keys))


def _hint(item: Any) -> str:
    """Say what to write instead, where that is known."""
    is_number = isinstance(item["input"], int | float)
    if item["type"] == "string_type" and is_number:
        return ": what is read as a number, or as true or false, stands in quotes to be a text"
    if item["type"] == "string_pattern_mismatch" and item["ctx"]["pattern"] == NAME:
        return ": a name begins with a letter or a digit, has these and `_.-` only, and 128 characters at most"
    if item["type"] == "literal_error":
        expected, word = str(item["ctx"]["expected"]), str(item["input"]).lower()
        meant = (choice for choice, words in MEANT.items() if f"'{choice}'" in expected and word in words)
        return next((f"; did you mean {choice!r}?" for choice in meant), "")
    return ""


def _unknown(key: str, keys: list[str]) -> str:
    nearest = difflib.get_close_matches(key, keys, n=1, cutoff=0.6)
    if nearest:
        return f"unknown key; did you mean {nearest[0]!r}?"
    return f"unknown key; the keys here are {', '.join(keys)}" if keys else "unknown key"


def _fields(section: type[BaseModel], value: Any) -> Iterable[tuple[str, FieldInfo]]:
    if section is Parameters and value.get("kind") in RECEIVERS:
        section = parameters_class(value["kind"])
    return section.model_fields.items()


def _sections_at(annotation: Any, loc: Sequence[str | int]) -> Iterator[type[BaseModel]]:
    """The classes of the sections that may stand at a location of pydantic's."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        if not loc:
            yield annotation
        elif loc[0] in fields:
            yield from _sections_at(fields[str(loc[0])].annotation, loc[1:])
        elif _is_tag(annotation, loc[0]):
            yield from _sections_at(annotation, loc[1:])
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        yield from _sections_at(arguments[0], loc)
    elif origin in (list, dict):
        yield from _sections_at(arguments[-1], loc[1:])
    else:
        for argument in arguments:
            yield from _sections_at(argument, loc)


def _is_tag(section: type[BaseModel], part: str | int) -> bool:
    kind = section.model_fields.get("kind")
    return kind is not None and part in get_args(kind.annotation)
