"""Fetch what is not in the cache folder yet: ``python -m tests.services.peers``.

Where that is impossible it says so and succeeds, because the tests that need a peer are then reported as skipped; in
continuous integration (the variable ``CI`` is set) it fails, and so do they.
"""

from __future__ import annotations

import os
import sys

from tests.services.cache import UnavailableError
from tests.services.peers import frouros, moa


def main() -> int:
    """Fetch; return the exit status."""
    missing = False
    for fetch in (moa.fetch, frouros.fetch):
        try:
            print(fetch())
        except UnavailableError as error:
            missing = True
            print(f"{error}\nThe tests that compare with it will be skipped.", file=sys.stderr)
    return int(missing and bool(os.environ.get("CI")))


if __name__ == "__main__":
    sys.exit(main())
