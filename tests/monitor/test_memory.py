from __future__ import annotations

import platform
import subprocess
import sys

import pytest

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
