"""Rows of numbers, for kernels.

To ``a[b:c] = d`` the compiler adds a look whether the two overlap, room for a copy in case they do, and the text of the
message with which it fails if their sizes differ. All of that stands once more in every kernel that has such an
assignment somewhere below it, and half of the time to compile the alarm rule went there.
"""

from __future__ import annotations

from detectors.contract import FloatArray
from detectors.kernel import kernel

__all__ = ["copy_row"]


@kernel
def copy_row(row: FloatArray, to: FloatArray) -> None:
    """Write a row over another one, which is of its size and apart from it.

    Examples
    --------
    >>> import numpy as np
    >>> numbers = np.array([[1.0, 2.0], [0.0, 0.0]])
    >>> copy_row(numbers[0], numbers[1])
    >>> numbers[1].tolist()
    [1.0, 2.0]
    """
    for i in range(row.size):
        to[i] = row[i]
