"""The versions of a model that one partition's events carry, at most so many at one time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded
from monitor.events import NEED_NO_PLACE, OTHER_VERSION
from monitor.values import DAY_MS

__all__ = ["ModelVersions"]

Integers = NDArray[np.int64]


class ModelVersions:
    """Numbers versions in the order in which the partition's events first carry them.

    Once ``most`` versions have a place, events of others count under `OTHER_VERSION`. When a day of event time begins
    and all places are taken, the versions that had no event on the day before make room. So which version has a place
    is a function of the partition's log alone.

    Parameters
    ----------
    most : int

    Attributes
    ----------
    names : list of str

    Examples
    --------
    >>> versions, day_ms = ModelVersions(most=2), 86_400_000
    >>> versions.numbers(Coded.of(["v2", "v1", "v2", "v3"]), np.zeros(4, dtype=np.int64)).tolist(), versions.names
    ([0, 1, 0, 2], ['v2', 'v1', 'other'])
    >>> versions.numbers(Coded.of(["v1"]), np.array([day_ms])).tolist()
    [1]
    >>> versions.keep(versions.staying(2 * day_ms))
    >>> versions.names
    ['v1', 'other']
    """

    def __init__(self, most: int) -> None:
        self.names: list[str] = []
        self._most = most
        # The newest pane of each in which it had events, or where the watermark stood if they were late.
        self._last_ms = np.zeros(0, dtype=np.int64)

    def numbers(self, versions: Coded[str] | None, at_ms: Integers) -> Integers:
        """Return the number of each event's version; without a version field all are of the empty version.

        Parameters
        ----------
        versions : Coded of str [n], or None
        at_ms : int64 array [n]
            The pane of each event, or the one in which the watermark stood by then if that is later.
        """
        versions = Coded.constant("", len(at_ms)) if versions is None else versions
        numbers = {version: number for number, version in enumerate(self.names)}
        places = self._most - len(numbers.keys() - NEED_NO_PLACE)
        of_codes = np.zeros(len(versions.names), dtype=np.int64)
        for code in versions.used():
            version = versions.names[code]
            if version not in numbers and version not in NEED_NO_PLACE:
                version, places = (version, places - 1) if places > 0 else (OTHER_VERSION, places)
            of_codes[code] = numbers.setdefault(version, len(numbers))
        self.names = list(numbers)
        of_events = of_codes[versions.codes]
        self._last_ms = np.append(self._last_ms, np.zeros(len(numbers) - len(self._last_ms), dtype=np.int64))
        np.maximum.at(self._last_ms, of_events, at_ms)
        return of_events

    def fill_up(self, versions: Coded[str] | None) -> bool:
        """Whether no place is left when these have come."""
        if versions is None:
            return False
        coming = {versions.names[code] for code in versions.used()}
        return len(coming.union(self.names) - NEED_NO_PLACE) >= self._most

    def staying(self, day_ms: int) -> Integers:
        """Return the numbers of the versions that do not have to make room when the day begins at ``day_ms``."""
        needs_place = np.array([version not in NEED_NO_PLACE for version in self.names], dtype=np.bool_)
        if np.count_nonzero(needs_place) < self._most:
            return np.arange(len(self.names))
        return np.flatnonzero(~needs_place | (self._last_ms >= day_ms - DAY_MS))

    def keep(self, numbers: Integers) -> None:
        """Let go of all versions but these, which are numbered anew in that order."""
        self.names = [self.names[number] for number in numbers.tolist()]
        self._last_ms = self._last_ms[numbers]

    def snapshot(self) -> dict[str, Any]:
        """What the numbers of versions to come depend on."""
        return {"versions": list(self.names), "versions_last_ms": self._last_ms.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot; one from before there was a bound does not say when each version last came."""
        self.names = list(state["versions"])
        unknown = np.full(len(self.names), int(state["closed_ms"]), dtype=np.int64)
        self._last_ms = np.array(state.get("versions_last_ms", unknown))
