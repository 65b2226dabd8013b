from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref
from collections.abc import Iterator

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


BURST = """
from monitor.memory import give_back_freed, keep_freed
keep_freed()
def resident_mb():
    with open("/proc/self/statm") as counts:
        return int(counts.read().split()[1]) * 4096 >> 20
before = resident_mb()
burst, staying = [], []
for _ in range(256):
    burst.append(b"x" * (1 << 20))
    staying.append(b"y" * 10_000)
del burst
kept = resident_mb() - before
give_back_freed()
print(kept, resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_what_a_burst_took_goes_back_though_something_that_stays_lies_behind_it() -> None:
    printed = subprocess.run([sys.executable, "-c", BURST], stdout=subprocess.PIPE, check=True, text=True).stdout
    kept_mb, left_mb = map(int, printed.split())
    assert kept_mb > 200
    assert left_mb < 20


class Knot:
    """An object that only the collector can see is gone."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def rarely() -> Iterator[None]:
    before = gc.get_threshold()  # of a service of another test, perhaps
    gc.set_threshold(700, 10, 10)
    collect_rarely()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def new_objects(count: int) -> list[list[object]]:
    """Objects that may be part of a cycle, and stay: what goes at once does not count."""
    return [[] for _ in range(count)]


@pytest.mark.usefixtures("rarely")
def test_cycles_are_looked_for_less_often_and_found_all_the_same() -> None:
    gone = weakref.ref(Knot())
    assert new_objects(2 * gc.get_threshold()[0])
    assert gone() is None
    assert gc.get_threshold()[0] > 700


@pytest.mark.usefixtures("rarely")
def test_cycles_that_were_in_use_for_long_are_found_before_a_million_new_objects() -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect()
    del knot
    assert gone() is not None
    assert new_objects(1_000_000)
    assert gone() is None
