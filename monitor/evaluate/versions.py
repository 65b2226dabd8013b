"""When each version of a model was first seen, in event time: a new one is where people look first."""

from __future__ import annotations

from monitor.panes.reading import PaneRows
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

    def new(self, panes: PaneRows) -> Rows:
        """Return rows of ``versions`` for those that were not there before ``panes``, from the start of their first.

        Panes have to be given in the order of time; in however many parts, the rows are the same.
        """
        first_ms: dict[str, int] = {}
        for version, segment, signal in panes.series():
            if version and version not in self._known:
                for piece, numbers in panes.of((version, segment, signal)):
                    start_ms = int(piece.starts_ms[numbers].min())
                    first_ms[version] = min(start_ms, first_ms.get(version, start_ms))
        self._known |= first_ms.keys()
        names = sorted(first_ms)
        return {
            "model": [self._model] * len(names),
            "version": list(names),
            "first_ms": [first_ms[name] for name in names],
        }
