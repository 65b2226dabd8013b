"""Where a configuration does not fit the messages: what none of them has shown, and what they hold instead."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.ingest.sightings import Sightings, Unseen

__all__ = ["MOST_SAMPLES", "misfits"]

MOST_SAMPLES = 50
"""Messages that are looked into for what they hold instead."""

VALUES_SHOWN, LONGEST_VALUE = 5, 40


def misfits(sightings: Sightings, fewest: int) -> list[tuple[Unseen, str]]:
    """Return what at least so many messages have not shown, each with a sentence for people."""
    return [
        (unseen, " ".join(filter(None, (f"{unseen}.", _hint(unseen, sightings.samples.get(unseen.topic, ()))))))
        for unseen in sightings.unseen(fewest)
    ]


def _hint(unseen: Unseen, samples: Sequence[bytes]) -> str:
    documents = [document for sample in samples if (document := _document(sample)) is not None]
    if unseen.signal:
        paths = {path for document in documents for path in _paths(document)}
        nearest = difflib.get_close_matches(unseen.path, sorted(paths), n=1)
        return f"Did you mean `{nearest[0]}`?" if nearest else _there_are(paths)
    return " ".join(_values(path, documents) for path in unseen.where if not path.startswith("header:"))


def _document(sample: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(sample)
    except ValueError:
        # Other formats than JSON are not looked into.
        return None
    return document if isinstance(document, dict) else None


def _paths(document: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _there_are(paths: set[str]) -> str:
    shown = sorted(paths)[:10]
    return (
        f"There are {', '.join(f'`{path}`' for path in shown)}{' …' if len(paths) > len(shown) else ''}."
        if paths
        else ""
    )


def _values(path: str, documents: Sequence[dict[str, Any]]) -> str:
    values = {
        json.dumps(value, ensure_ascii=False)[:LONGEST_VALUE]
        for each in documents
        if (value := _at(each, path)) is not None
    }
    if not values:
        return f"No message has `{path}`." if documents else ""
    shown = sorted(values)[:VALUES_SHOWN]
    return f"`{path}` is {', '.join(shown)}{' …' if len(values) > len(shown) else ''} there."


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document
