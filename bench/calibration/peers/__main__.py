"""Compares Leeway with NannyML and Evidently on the same events: ``python -m bench.calibration.peers``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench.calibration.grid import GRIDS
from bench.calibration.page import with_tables
from bench.calibration.peers.comparison import DAYS, Alerts, Model, Outcome, compared, led
from bench.calibration.peers.monitors import PROJECTS, Monitor
from bench.calibration.peers.table import lines_of
from bench.calibration.streams import STREAMS
from bench.calibration.watched import Rule
from tests.services.cache import UnavailableError

__all__ = ["MEASURED", "main", "read_parts"]

SOME = ("iid", "season", "ar09", "daylevels", "names5", "mixseason")
MEASURED = tuple(Path(__file__).with_name(f"measured_{whose}.json") for whose in ("ours", "theirs"))
"""What the page shows; ours is measured again with ``--peers``, in minutes, when the rule changes."""

SEED = 900_001_000
"""The first one; whoever changes the rule looks at others (``bench.calibration.forms``)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; return the exit status."""
    options = parsed(arguments)
    streams = options.stream or list(STREAMS if options.long else SOME)
    try:
        outcomes = read_parts(options.parts) if options.parts else list(outcomes_of(streams, options))
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([outcome.to_json() for outcome in outcomes]))
    elif options.into:
        page = options.into.read_text(encoding="utf-8")
        options.into.write_text(with_tables(page, lines_of(outcomes)), encoding="utf-8")
    else:
        print(*lines_of(outcomes), sep="\n")
    return 0


def read_parts(files: Sequence[Path]) -> list[Outcome]:
    """Read what earlier runs with ``--json`` measured; what a later file has too is taken from that."""
    read = [Outcome.from_json(document) for file in files for document in json.loads(file.read_text(encoding="utf-8"))]
    outcomes = {(one.window, one.stream, one.contestant): one for one in read}
    return list(outcomes.values())


def outcomes_of(streams: Sequence[str], options: argparse.Namespace) -> Iterator[Outcome]:
    """Yield how everybody did, window by window and stream by stream."""
    rule, console = Rule("change", options.budget), Console(stderr=True)
    for grid in [GRIDS[name] for name in options.window or DAYS]:
        with ExitStack() as stack:
            monitors = {project: stack.enter_context(Monitor(project, grid)) for project in options.peers}
            for stream in streams:
                alerts: list[dict[str, Alerts]] = []
                for number in range(options.models):
                    alerts.append(led(Model(stream, grid, SEED + number), monitors, rule))
                    console.print(f"{grid.name} {stream}, model {number + 1} of {options.models}", highlight=False)
                yield from compared(stream, grid, alerts)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration.peers", description=__doc__)
    parser.add_argument(
        "--long", action="store_true", help="every stream, in half an hour; else some, in ten minutes of a free core"
    )
    parser.add_argument("--stream", nargs="+", default=[], choices=list(STREAMS), metavar="STREAM", help="only these")
    parser.add_argument("--window", nargs="+", default=[], choices=list(DAYS), help="only these")
    parser.add_argument("--models", type=int, default=4, metavar="N", help="of each stream (default: %(default)s)")
    parser.add_argument("--budget", default="1 per 30d", help="false alarms that ours accept (default: %(default)s)")
    parser.add_argument("--peers", nargs="*", default=list(PROJECTS), choices=PROJECTS, help="only these of them")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of the tables")
    parser.add_argument(
        "--parts", nargs="+", default=[], type=Path, metavar="FILE", help="print what earlier runs with --json measured"
    )
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the tables of --parts into a page that has them")
    options = parser.parse_args(arguments)
    if options.into and (options.json or not options.parts):
        parser.error("--into takes the tables of --parts: a page shows what was measured, and is kept")
    return options


if __name__ == "__main__":
    sys.exit(main())
