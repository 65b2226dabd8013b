"""From which windows on a model is evaluated under which configuration."""

from __future__ import annotations

from uuid import uuid4

from sinks.store.batch import add_row, empty_rows
from sinks.store.contract import Query, Store

__all__ = ["begin_windows"]


def begin_windows(store: Store, model: str, from_ms: int, digest: str) -> None:
    """Write down under which configuration windows are evaluated that end from some time on.

    Parameters
    ----------
    store : Store
    model : str
    from_ms : int
    digest : str
        Of its document; empty if they are not evaluated, since nobody watches the model.

    Raises
    ------
    StoreError
    """
    written = store.read(Query("configured_windows", {"model": model}, columns=("from_ms",)))
    rows = empty_rows("configured_windows")
    # What was to begin later, of one with a longer window, does not begin any more.
    for each_ms in sorted({from_ms} | {int(each) for each in written["from_ms"] if each > from_ms}):
        add_row(rows, {"model": model, "from_ms": each_ms, "digest": digest})
    # The same row may come again after another one had its place: no token of its content may drop it.
    store.append("configured_windows", rows, token=f"configured_windows/{uuid4().hex}")
