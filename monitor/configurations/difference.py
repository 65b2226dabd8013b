"""What changes with a configuration: which fields, and which series keep what they have learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from monitor.config.references import VOLUME
from monitor.watch import Watch

__all__ = ["FieldChange", "SeriesChange", "changed_fields", "changed_series"]

State = Literal["keeps", "learns again", "starts afresh", "begins", "ends"]


@dataclass(frozen=True)
class FieldChange:
    """A field that differs, by its path; None where it is not there."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class SeriesChange:
    """What becomes of the series of a signal.

    Attributes
    ----------
    signal : str
    folds : str
        What becomes of open panes and per-event detectors: ``keeps``, ``starts afresh``, ``begins`` or ``ends``.
    learns : str
        What becomes of what is usual: as above, or ``learns again``, from stored panes.
    why : str
    """

    signal: str
    folds: State
    learns: State
    why: str


def changed_fields(former: Watch | None, watch: Watch) -> list[FieldChange]:
    """Return the fields that differ, with all defaults written out, in the order of their paths."""
    earlier = {} if former is None else dict(_leaves(former.model.model_dump(mode="json", by_alias=True)))
    later = dict(_leaves(watch.model.model_dump(mode="json", by_alias=True)))
    return [
        FieldChange(path, earlier.get(path), later.get(path))
        for path in sorted(earlier.keys() | later.keys())
        if earlier.get(path) != later.get(path) or (path in earlier) != (path in later)
    ]


def changed_series(former: Watch | None, watch: Watch) -> list[SeriesChange]:
    """Return what becomes of each signal's series, by what the code has their state depend on."""
    former_signals = [] if former is None else _signals(former)
    return [_series(former, watch, signal) for signal in dict.fromkeys([*_signals(watch), *former_signals])]


def _series(former: Watch | None, watch: Watch, signal: str) -> SeriesChange:
    if former is None or signal not in _signals(former):
        return SeriesChange(signal, "begins", "begins", "it was not watched before")
    if signal not in _signals(watch):
        return SeriesChange(signal, "ends", "ends", "it is watched no more")
    folds: State = "keeps" if former.fold_hash == watch.fold_hash else "starts afresh"
    reasons = [] if folds == "keeps" else ["what is read, or how it is summed up, changes: an open pane is lost"]
    if former.config_hash == watch.config_hash:
        learns: State = "keeps"
    elif _layout(former, signal) != _layout(watch, signal):
        learns = "starts afresh"
        reasons.append("its values are counted in other cells: stored panes do not fit")
    else:
        learns = "learns again"
        reasons.append("what is usual is learned again, from stored panes")
    return SeriesChange(signal, folds, learns, "; ".join(reasons))


def _signals(watch: Watch) -> list[str]:
    return [VOLUME, *dict.fromkeys((*watch.layouts, *watch.vectors))]


def _layout(watch: Watch, signal: str) -> str:
    layout = watch.layouts.get(signal)
    return "" if layout is None else layout.id


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield everything that is no mapping or list, by its path.

    Examples
    --------
    >>> list(_leaves({"a": [{"b": 1}], "c": {}}))
    [('a.0.b', 1), ('c', {})]
    """
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not parts or not value:
        yield path, value
        return
    for key, part in parts:
        yield from _leaves(part, f"{path}.{key}" if path else str(key))
