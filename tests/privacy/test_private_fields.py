"""What stands in private fields is nowhere: `private_fields.py`, in a process that has run nothing else.

It looks at everything that a process has logged and holds, so what other tests have left behind would be in its way.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_what_stands_in_private_fields_is_nowhere(tmp_path: Path) -> None:
    file = Path(__file__).with_name("private_fields.py")
    # In a folder of its own: among those of all runs it would first delete what older ones have left, for minutes.
    folder = f"--basetemp={tmp_path / 'alone'}"
    alone = ["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", folder, str(file)]
    done = subprocess.run([sys.executable, *alone], capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert " passed" in done.stdout
