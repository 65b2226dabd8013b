"""Secrets that stand in a file as they are, instead of the name of the variable that holds them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from monitor.config.nodes import KeyPath

__all__ = ["plain_secrets"]

# Options that are passed to the client of a broker are plain text to pydantic.
_OPTION = re.compile(r"password|secret|token", re.IGNORECASE)


def plain_secrets(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield where a secret stands, in a part of a configuration.

    An address is one if there is a password in it. Any other may be one, such as that of a hook, and so may the value
    of a header: whether it is, only whoever writes it knows.

    Parameters
    ----------
    value : object
        Of the classes of configuration, or what these hold.
    path : tuple of str and int
        Where it stands.

    Examples
    --------
    >>> from monitor.config.kafka import KafkaSasl
    >>> list(plain_secrets(KafkaSasl(mechanism="PLAIN", user="me", password="x")))
    [('password',)]
    """
    if isinstance(value, SecretStr):
        if _is_secret(value.get_secret_value(), path):
            yield path
    elif isinstance(value, BaseModel) and _may_hold_one(type(value)):
        for name, field in type(value).model_fields.items():
            yield from plain_secrets(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from plain_secrets(part, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from plain_secrets(part, (*path, index))
    elif isinstance(value, str) and value and path[-2:-1] == ("options",) and _OPTION.search(str(path[-1])):
        yield path


@cache
def _may_hold_one(section: type[BaseModel]) -> bool:
    """Whether such a section can hold a secret: a model with hundreds of fields is not searched for none."""
    return any(_is_for_secrets(part) for part in _parts_of(section, set()))


def _parts_of(annotation: Any, seen: set[int]) -> Iterator[Any]:
    """What a section is made of, down to types that have no parts; sections may stand in themselves."""
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    yield annotation
    is_section = inspect.isclass(annotation) and issubclass(annotation, BaseModel)
    fields = annotation.model_fields.values() if is_section else ()
    for part in (*(field.annotation for field in fields), *get_args(annotation)):
        yield from _parts_of(part, seen)


def _is_for_secrets(annotation: Any) -> bool:
    if not (inspect.isclass(annotation) and issubclass(annotation, BaseModel)):
        return annotation in (SecretStr, Any)
    # Receivers of all kinds stand for their common base.
    return "options" in annotation.model_fields or bool(annotation.__subclasses__())


def _is_secret(secret: str, path: KeyPath) -> bool:
    if path[-1:] == ("url",):
        return _has_password(secret)
    return bool(secret) and path[-2:-1] != ("headers",)


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False
