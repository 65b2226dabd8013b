"""Counts fields that a message holds beside the ones its model names."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.decoders.columns import ModelColumns, Rows, parsed
from monitor.decoders.contract import Decoded
from monitor.decoders.shape import Path
from monitor.decoders.values import category, display
from monitor.events import KEPT, Problem

__all__ = ["MAX_SEEN", "ExtraFields"]

MAX_SEEN = 1_000
"""New names recorded per partition; a producer that makes keys of values would have no end of them."""


class ExtraFields:
    """The extra fields of one model's messages.

    Looks into the objects that hold the model's features (its prediction, for a source without features).

    Parameters
    ----------
    model : ModelColumns
    """

    def __init__(self, model: ModelColumns) -> None:
        self.name = model.name
        named = {path for path, _ in model.uses()}
        signals = [*model.numeric, *model.category, *model.rankings, *((name, path) for name, path, _ in model.vectors)]
        features = [path for name, path in signals if name.startswith("feature:")]
        parents = dict.fromkeys(path[:-1] for path in features or [path for _, path in signals])
        self._parents = {
            parent: {path[len(parent)] for path in named if path[: len(parent)] == parent != path} for parent in parents
        }
        self._seen: dict[int, dict[str, None]] = {}

    def count(self, partition: int, rows: Rows, decoded: Decoded) -> None:
        """Count the extra fields of ``rows``, and record the first message of each new name as a problem."""
        seen = self._seen.setdefault(partition, {})
        for index, (offset, payload) in enumerate(zip(rows.offsets, rows.payloads, strict=True)):
            document = rows.document(index)
            for field, value in self._fields(parsed(payload) if document is None else document):
                decoded.extra[self.name, field] += 1
                if field not in seen and len(seen) < MAX_SEEN:
                    seen[field] = None
                    problem = Problem(int(offset), KEPT, "extra_field", field, display(value))
                    decoded.problems.append((self.name, problem))

    def seen(self, partition: int) -> list[str]:
        """The names recorded so far."""
        return list(self._seen.get(partition, ()))

    def restore(self, partition: int, names: Iterable[str]) -> None:
        """Go on from what :meth:`seen` returned."""
        self._seen[partition] = dict.fromkeys(names)

    def _fields(self, document: object) -> list[tuple[str, object]]:
        fields: list[tuple[str, object]] = []
        for parent, named in self._parents.items():
            for key, value in _object_at(document, parent).items():
                if key not in named:
                    fields.append((".".join((*parent, _name(key))), value))
        return fields


def _object_at(document: object, path: Path) -> dict[str, object]:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _name(key: str) -> str:
    """A key that can be stored: a short text."""
    return display(key) if category(key)[1] else key
