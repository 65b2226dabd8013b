"""The versions of a model that one partition's events carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.sketch import Coded

__all__ = ["ModelVersions"]


class ModelVersions:
    """Numbers versions in the order in which the partition's events first carry them.

    Attributes
    ----------
    names : list of str

    Examples
    --------
    >>> versions = ModelVersions()
    >>> versions.numbers(Coded.of(["v2", "v1", "v2"]), 3).tolist(), versions.names
    ([0, 1, 0], ['v2', 'v1'])
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def numbers(self, versions: Coded[str] | None, count: int) -> NDArray[np.int64]:
        """Return the number of each of ``count`` events; without a version field all are of the empty version."""
        if versions is None:
            if not self.names:
                self.names.append("")
            return np.zeros(count, dtype=np.int64)
        numbers = {version: number for number, version in enumerate(self.names)}
        of_codes = np.zeros(len(versions.names), dtype=np.int64)
        for code in versions.used():
            version = versions.names[code]
            if version not in numbers:
                numbers[version] = len(self.names)
                self.names.append(version)
            of_codes[code] = numbers[version]
        return of_codes[versions.codes]
