"""Fetch the provider, if it is not in the cache folder yet: ``python -m tests.services.oidc``.

Where that is impossible it says so and succeeds, because the tests that need it are then reported as skipped; in
continuous integration (the variable ``CI`` is set) it fails, and so do they.
"""

from __future__ import annotations

import os
import sys

from tests.services.cache import UnavailableError
from tests.services.oidc import fetch


def main() -> int:
    """Fetch; return the exit status."""
    try:
        print(fetch())
    except UnavailableError as error:
        print(f"{error}\nThe tests that log in with it will be skipped.", file=sys.stderr)
        return int(bool(os.environ.get("CI")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
