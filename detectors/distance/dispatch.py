"""The kernels of all distances in one, which picks by number: compiled loops cannot look names up in a table.

A compiled function that is handed others, in a tuple or by a closure, is compiled again in every process: only what it
names itself can be kept on disk. So the choice is written from the table, as a function that names every kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from detectors.distance import DISTANCES
from detectors.distance.contract import LOCATED, Distance, Floats, Integers
from detectors.kernel import kernel

__all__ = ["NUMBERS", "dispatch"]

# All rates have one kernel.
_BY_KERNEL = {distance.kernel: distance for distance in DISTANCES.values()}

NUMBERS = {name: list(_BY_KERNEL).index(distance.kernel) for name, distance in DISTANCES.items()}
"""By which number :func:`dispatch` knows the kernel of each distance."""


def _written(distances: Collection[Distance]) -> Callable[..., None]:
    lines = ["def dispatch(number, reference, current, positions, extremes, answer):"]
    for number, distance in enumerate(distances):
        places = "positions, extremes, " if distance.reads == LOCATED else ""
        lines.append(f"    {'elif' if number else 'if'} number == {number}:")
        lines.append(f"        kernel_{number}(reference, current, {places}answer)")
    scope: dict[str, Any] = {f"kernel_{number}": distance.kernel for number, distance in enumerate(distances)}
    # As part of this file and module: beside the one the compiler keeps what it made, through the other it reads it.
    scope["__name__"] = __name__
    exec(compile("\n".join(lines), __file__, "exec"), scope)  # noqa: S102 -- of the names and numbers above alone
    function: Callable[..., None] = scope["dispatch"]
    return function


dispatch: Callable[[int, Integers, Integers, Floats, Floats, Floats], None] = kernel(_written(_BY_KERNEL.values()))
"""``dispatch(number, reference, current, positions, extremes, answer)``: write what a kernel says of one series.

Parameters
----------
number
    From :data:`NUMBERS`.
reference, current, answer
    As `detectors.distance.contract.Distance` says.
positions, extremes
    Where cells lie, and the smallest and the largest value of both sides; of any length for kernels that do not ask.
"""
