"""When each version of a model was first seen, in event time: a new one is where people look first."""

from __future__ import annotations

from collections.abc import Mapping

from sinks.store.batch import Rows
from sinks.store.contract import Query, Store

__all__ = ["SeenVersions"]


class SeenVersions:
    """The versions of one model.

    Parameters
    ----------
    store : Store
    model : str

    Raises
    ------
    StoreError
    """

    def __init__(self, store: Store, model: str) -> None:
        self._model = model
        self._known = set(store.read(Query("versions", {"model": model}, columns=("version",)))["version"])

    def new(self, begun_ms: Mapping[str, int]) -> Rows:
        """Return rows of ``versions`` for those that were never there before, of versions that have just got a place.

        Parameters
        ----------
        begun_ms : mapping of str to int
            Where the first pane of each starts. They have to be given in the order of time; in however many parts, the
            rows are the same.
        """
        names = sorted(begun_ms.keys() - self._known)
        self._known |= set(names)
        return {
            "model": [self._model] * len(names),
            "version": list(names),
            "first_ms": [begun_ms[name] for name in names],
        }
