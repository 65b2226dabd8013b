r"""Names of streams, and patterns that stand for all topics that they match.

A pattern is a regular expression between slashes, ``/orders\..*/``, which no topic's name can hold. It must match all
of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, BeforeValidator

from monitor.config.registry import several

__all__ = ["Topics", "expression", "is_pattern", "is_simple", "matches", "reader_of"]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_REFERENCE = re.compile(r"\\[1-9]|\(\?\(")
_LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_CHOICE = re.compile(r"[*+?{(]")
MOST_CHOICES = 3
MOST_CHARACTERS = 251
"""Of a pattern that is simple: as many as of a topic's name, and the slashes."""


def is_pattern(entry: str) -> bool:
    """Whether an entry is a pattern and no name.

    Examples
    --------
    >>> is_pattern("/orders.*/"), is_pattern("orders")
    (True, False)
    """
    return entry.startswith("/") and entry.endswith("/") and len(entry) > 2


@lru_cache(maxsize=1024)
def _compiled(entry: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        # The time that Python's own takes may double with each letter of a name.
        return re2.compile(entry[1:-1], options)
    except re2.error:
        return re.compile(entry[1:-1])


def is_simple(entry: str) -> bool:
    r"""Whether no name makes a pattern slow, also for the client of Kafka, which uses Python's expressions.

    Examples
    --------
    >>> is_simple(r"/(eu|us)\.orders-[0-9]+/"), is_simple("/(a+)+b/"), is_simple("/.*a.*b.*c.*d/")
    (True, False, False)
    """
    choices = _LITERAL.sub("x", entry[1:-1]).replace("(?:", "(")
    if len(entry) > MOST_CHARACTERS or "(?" in choices or re.search(r"\)[*+?{]", choices):
        return False
    return len(_CHOICE.findall(choices)) <= MOST_CHOICES


def matches(entry: str, topic: str) -> bool:
    """Whether an entry, a name or a pattern, stands for a topic.

    Examples
    --------
    >>> matches("/orders-[a-z]+/", "orders-eu"), matches("/orders/", "orders-eu"), matches("orders", "orders")
    (True, False, True)
    """
    return entry == topic or (is_pattern(entry) and _compiled(entry).fullmatch(topic) is not None)


def reader_of(entries: Iterable[str], topic: str) -> str | None:
    """Return the entry that a topic is read by: its name if that stands there, else the first pattern that matches.

    Examples
    --------
    >>> reader_of(["/o.*/", "/.*/", "orders"], "orders"), reader_of(["/o.*/", "/.*/"], "offers"), reader_of([], "x")
    ('orders', '/o.*/', None)
    """
    matching = [entry for entry in entries if matches(entry, topic)]
    return topic if topic in matching else next(iter(matching), None)


def expression(entries: Iterable[str]) -> str:
    r"""Return a regular expression that matches from the start what any of the entries stands for.

    Examples
    --------
    >>> expression(["a.b", "/c|d/"])
    '(?:a\\.b|(?:c|d))\\Z'
    """
    parts = [f"(?:{entry[1:-1]})" if is_pattern(entry) else re.escape(entry) for entry in entries]
    return rf"(?:{'|'.join(parts)})\Z"


def _checked(entry: str) -> str:
    if not is_pattern(entry):
        if not _NAME.fullmatch(entry):
            raise ValueError(f"a topic's name has letters, digits and ._- only, a pattern stands in slashes: {entry!r}")
        return entry
    try:
        compiled = re.compile(entry[1:-1])
    except re.error as error:
        raise ValueError(f"{entry!r} is no regular expression: {error}") from error
    # Several patterns become one expression for the client.
    if compiled.flags & ~re.UNICODE or compiled.groupindex or _REFERENCE.search(entry):
        raise ValueError(f"{entry!r} holds flags, named groups or references to groups")
    return entry


Topics = Annotated[
    list[Annotated[str, AfterValidator(_checked)]] | None,
    BeforeValidator(several, json_schema_input_type=str | list[str] | None),
]
"""Names and patterns of topics; one stands for a list of one."""
