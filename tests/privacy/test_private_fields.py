"""What stands in private fields is nowhere: `private_fields.py`, in a process that has run nothing else.

It looks at everything that a process has logged and holds, so what other tests have left behind would be in its way.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_what_stands_in_private_fields_is_nowhere() -> None:
    file = Path(__file__).with_name("private_fields.py")
    alone = ["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run([sys.executable, *alone], capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert " passed" in done.stdout
