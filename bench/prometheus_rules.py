"""The rules for Prometheus, checked and played through by its own promtool: ``python -m bench.prometheus_rules``.

The exit code is 1 if it finds anything wrong.
"""

from __future__ import annotations

import sys

from tests.services.cache import ROOT
from tests.services.prometheus import promtool

RULES = ROOT / "configs" / "prometheus"


def main() -> int:
    """Print what promtool says of the rules, and of when they fire."""
    checked = promtool("check", "rules", str(RULES / "leeway.rules.yaml"))
    played = promtool("test", "rules", str(RULES / "leeway.tests.yaml"))
    print(checked.stdout, checked.stderr, played.stdout, played.stderr, sep="")
    return int(bool(checked.returncode or played.returncode))


if __name__ == "__main__":
    sys.exit(main())
