"""Versions that a process cannot go by, so that each is tried again now and then, and not with every look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Failures"]

LONGEST_PAUSE = 64
"""Looks: to read a document of 1 MiB, and its data set, takes seconds."""


@dataclass
class _Failure:
    version: int
    why: str
    pause: int
    looks_left: int


class Failures:
    """What failed the last time, by model; counted in looks, the first of which tries again at once.

    Examples
    --------
    >>> failures = Failures()
    >>> failures.note({"fraud": 3}, {"fraud": "no such file"})
    >>> failures.note({"fraud": 3}, {"fraud": "no such file"})
    >>> failures.waiting({"fraud": 3}), failures.waiting({"fraud": 3}), failures.waiting({"fraud": 4})
    ({'fraud': 'no such file'}, {}, {})
    """

    def __init__(self) -> None:
        self._failed: dict[str, _Failure] = {}

    def note(self, versions: Mapping[str, int], troubles: Mapping[str, str]) -> None:
        """Take in which versions have failed, and why; several at once are tried again one after the other."""
        for index, (name, why) in enumerate(sorted(troubles.items())):
            former = self._failed.get(name)
            is_again = former is not None and former.version == versions[name]
            pause = min(2 * former.pause, LONGEST_PAUSE) if former is not None and is_again else 1
            self._failed[name] = _Failure(versions[name], why, pause, pause + index)

    def waiting(self, versions: Mapping[str, int]) -> dict[str, str]:
        """Count a look, and return which of these versions are not to be tried in it, each with why it failed."""
        self._keep(versions)
        for failure in self._failed.values():
            failure.looks_left -= 1
        return {name: failure.why for name, failure in self._failed.items() if failure.looks_left > 0}

    def _keep(self, versions: Mapping[str, int]) -> None:
        self._failed = {n: failure for n, failure in self._failed.items() if versions.get(n) == failure.version}
