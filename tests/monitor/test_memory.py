from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref

import pytest

from monitor.memory import collect_rarely

FAULTS = """
import resource, sys
from monitor.memory import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for round in range(2):
    before = faults()
    for size in range(4, 24):
        bytearray(size << 20)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_large_buffers_that_come_and_go_are_not_mapped_anew() -> None:
    kept, mapped = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], stdout=subprocess.PIPE, check=True).stdout)
        for how in ("kept", "default")
    )
    assert kept < mapped / 10


class Knot:
    """An object that only the collector can see is gone."""

    def __init__(self) -> None:
        self.me = self


def test_cycles_are_looked_for_less_often_and_found_all_the_same() -> None:
    before = gc.get_threshold()  # of a service of another test, perhaps
    try:
        gc.set_threshold(700, 10, 10)
        collect_rarely()
        gone = weakref.ref(Knot())
        # Objects that may be part of a cycle count; these stay, for what goes at once does not.
        counted: list[list[object]] = [[] for _ in range(2 * gc.get_threshold()[0])]
        assert counted
        assert gone() is None
        assert gc.get_threshold()[0] > 700
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
