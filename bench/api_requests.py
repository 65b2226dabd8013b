"""Whether the API does what its OpenAPI document says: generated requests, with every check that schemathesis has.

``python -m bench.api_requests --examples 200`` sends each operation at least so many requests, valid and invalid ones,
in process. It prints a line for each operation, and every failed check with a command that shows it; it ends with 1 if
there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from monitor.api.app import create_app
from tests.api.full_world import ADMIN, full_world
from tests.api.generated import outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    app = create_app(full_world(asks_for_tokens=True))
    app.state.stopping.set()
    by_operation = outcomes(app, options.examples, options.seed, token=ADMIN)
    print(f"{'operation':48} {'requests':>8} {'failures':>8}  answers by status")
    for operation, outcome in sorted(by_operation.items()):
        statuses = "  ".join(f"{status}: {count}" for status, count in sorted(outcome.statuses.items()))
        print(f"{operation:48} {outcome.requests:8} {len(outcome.failures):8}  {statuses}")
    for operation, outcome in sorted(by_operation.items()):
        for failure, command in outcome.failures.items():
            print(f"\n{operation}\n{failure}\n{command}")
    failures = sum(len(outcome.failures) for outcome in by_operation.values())
    requests = sum(outcome.requests for outcome in by_operation.values())
    print(f"\n{len(by_operation)} operations, {requests:,} requests, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
