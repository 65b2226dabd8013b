"""Alertmanager's own acceptance tests, run against Leeway: ``python -m bench.alertmanager_suite``.

The tests of Alertmanager 0.28.1 (``test/with_api_v2/acceptance`` and ``test/cli/acceptance``) come from its Go module
and are built once, into the cache. They start ``alertmanager`` as a child; here that is a launcher
(:mod:`bench.alertmanager_launcher`) that starts Leeway with the same configuration. Times are as they were written:
groups are looked at every second, and have to be notified within half a second. Three lines of the harness give way:
the program may take longer than five seconds to start, no peers of a cluster are waited for, and what a cluster and a
single instance notify is compared by the time since each was up. A cluster is three processes over one ClickHouse.

Prints a line for each test; the exit code is 1 if one fails. ``--reference`` starts the real Alertmanager instead.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.alertmanager_launcher import SHARED_STORE
from tests.services.alertmanager import VERSION, module, run_go
from tests.services.cache import ROOT, default_cache, digest, once
from tests.services.clickhouse import Endpoint

__all__ = ["LEFT_OUT", "Result", "suite"]

SUITES = {"api": "test/with_api_v2/acceptance", "cli": "test/cli/acceptance"}
PATIENT = {
    "for i := 0; i < 10; i++ {": "for i := 0; i < 100; i++ {",
    "if len(status.Payload.Cluster.Peers) == size {": "if status != nil {",
}
# Both post the same alerts so many seconds after they are up, and the three of a cluster start one after the other.
RELATIVE = {
    "	bAlerts := f(b.Collected())": """	bAlerts := f(b.Collected())
	for _, alert := range bAlerts {
		start := (*time.Time)(alert.StartsAt)
		*start = start.Add(a.opts.baseTime.Sub(b.opts.baseTime))
	}"""
}
GIVES_WAY = {
    "test/with_api_v2/acceptance.go": PATIENT,
    "test/with_api_v2/collector.go": RELATIVE,
    "test/cli/acceptance.go": PATIENT,
}
"""By file of the harness, what is replaced: how often it asks whether the program has started, that it waits for peers,
and which starts it compares."""

LEFT_OUT = {
    "TestCannotAddUTF8AlertsInClassicMode": "the classic mode, which takes no UTF-8 labels",
    "TestCannotAddUTF8SilencesInClassicMode": "the classic mode, which takes no UTF-8 labels",
}
"""What is not run, and why."""

RESULT = re.compile(r"^--- (PASS|FAIL|SKIP): (\w+) \(([\d.]+)s\)", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """How one test went: ``PASS``, ``FAIL`` or ``SKIP``, and how long it took."""

    name: str
    outcome: str
    seconds: float


def suite(*, pattern: str = ".", reference: bool = False, parallel: int = 2, shown: bool = False) -> Iterator[Result]:
    """Run the tests whose names match a regular expression; yield how each went.

    Parameters
    ----------
    pattern : str
    reference : bool
        Run them against Alertmanager itself.
    parallel : int
        How many at a time.
    shown : bool
        Print all that the tests print.
    """
    built = once(default_cache() / f"alertmanager-suite-{VERSION}-{digest(Path(__file__))}", "alertmanager", _build)
    with tempfile.TemporaryDirectory(prefix="leeway-suite-") as folder, Endpoint() as shared:
        root = Path(folder)
        _put_program(root / "alertmanager", built / "alertmanager" if reference else None)
        (root / "amtool").symlink_to(built / "amtool")
        for name, place in SUITES.items():
            (root / place).mkdir(parents=True)
            names = [
                test for test in _names(built / name, root / place) if re.search(pattern, test) and test not in LEFT_OUT
            ]
            if names:
                yield from _run(built / name, root / place, names, parallel, shared.address, shown=shown)


def _names(program: Path, folder: Path) -> list[str]:
    done = subprocess.run([program, "-test.list", "."], cwd=folder, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.split() if line.startswith("Test")]


def _run(
    program: Path, folder: Path, names: Sequence[str], parallel: int, shared: str, *, shown: bool
) -> Iterator[Result]:
    flags = [f"-test.run=^({'|'.join(names)})$", f"-test.parallel={parallel}", "-test.v", "-test.timeout=15m"]
    surroundings = os.environ | {SHARED_STORE: shared}
    done = subprocess.run([program, *flags], cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    results = {name: Result(name, outcome, float(spent)) for outcome, name, spent in RESULT.findall(done.stdout)}
    if shown or done.returncode:
        print(done.stdout, done.stderr, sep="\n")
    # One that a panic kept from ending has no line of its own.
    yield from (results.get(name, Result(name, "FAIL", 0.0)) for name in names)


def _put_program(path: Path, program: Path | None) -> None:
    """Put what the tests start where they look for it."""
    if program is not None:
        path.symlink_to(program)
        return
    python = shlex.quote(sys.executable)
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {python} -m bench.alertmanager_launcher "$@"\n'
    )
    path.chmod(0o755)


def _build(folder: Path) -> None:
    """Build the tests, and the programs beside them, from a copy of the module."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        sources = Path(scratch) / "sources"
        shutil.copytree(module(), sources)
        for path in (sources, *sources.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        for name, lines in GIVES_WAY.items():
            _give_way(sources / name, lines)
        folder.mkdir()
        for name, place in SUITES.items():
            run_go(["test", "-c", "-vet=off", "-o", str(folder.resolve() / name), f"./{place}"], sources)
        for name in ("alertmanager", "amtool"):
            flags = f"-X github.com/prometheus/common/version.Version={VERSION}"
            run_go(["build", f"-ldflags={flags}", "-o", str(folder.resolve() / name), f"./cmd/{name}"], sources)


def _give_way(file: Path, lines: Mapping[str, str]) -> None:
    source = file.read_text()
    for line, instead in lines.items():
        if source.count(line) != 1:
            raise RuntimeError(f"{file} has no line {line!r}: is this Alertmanager {VERSION}?")
        source = source.replace(line, instead)
    file.write_text(source)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how each test went."""
    parser = argparse.ArgumentParser(prog="python -m bench.alertmanager_suite")
    parser.add_argument("--run", default=".", help="a regular expression: only tests whose names match")
    parser.add_argument("--parallel", type=int, default=2, help="how many at a time")
    parser.add_argument("--reference", action="store_true", help="run them against Alertmanager itself")
    parser.add_argument("--verbose", action="store_true", help="print all that the tests print")
    options = parser.parse_args(arguments)
    results = list(
        suite(pattern=options.run, reference=options.reference, parallel=options.parallel, shown=options.verbose)
    )
    for result in results:
        print(f"{result.outcome}  {result.name:40}{result.seconds:8.1f} s")
    for name, why in LEFT_OUT.items():
        if re.search(options.run, name):
            print(f"left out  {name}: {why}")
    failed = sum(result.outcome == "FAIL" for result in results)
    print(f"{len(results) - failed} of {len(results)} passed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
