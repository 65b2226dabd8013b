"""Measures how often the alarm rule is wrong: ``python -m bench.calibration``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench.calibration.false_alarms import BUDGETS, Counted, Setting, count_false_alarms
from bench.calibration.forms import LONG, SEEDS, SHORT, Form
from bench.calibration.goals import goal_lines
from bench.calibration.grid import GRIDS
from bench.calibration.injections import INJECTIONS
from bench.calibration.page import with_tables
from bench.calibration.power import Found, find
from bench.calibration.streams import STREAMS
from bench.calibration.table import delay_lines, false_alarm_lines, power_lines
from bench.calibration.watched import PERIODS, Rule

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    options = parsed(arguments)
    if options.parts:
        counted, found = read_parts(options.parts)
    else:
        counted, found = measure(options)
    if options.json:
        print(json.dumps(document(options, counted, found)))
        return 0
    tables = [*false_alarm_lines(counted), *delay_lines(found), *power_lines(found), "", *goal_lines(counted, found)]
    if options.into:
        options.into.write_text(with_tables(options.into.read_text(encoding="utf-8"), tables), encoding="utf-8")
    else:
        print("\n".join(tables))
    return 0


def document(options: argparse.Namespace, counted: Sequence[Counted], found: Sequence[Found]) -> dict[str, Any]:
    """Return what was measured, and how."""
    return {
        "rule": options.rule,
        "baseline": options.baseline,
        "seeds": options.seed_set,
        "form": "long" if options.long else "short",
        "false_alarms": [cell.to_json() for cell in counted],
        "power": [cell.to_json() for cell in found],
    }


def measure(options: argparse.Namespace) -> tuple[list[Counted], list[Found]]:
    """Measure what is asked for."""
    form = LONG if options.long else SHORT
    seed = SEEDS[options.seed_set]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        counted = [] if "false-alarms" in options.without else in_control(form, options, seed, progress)
        found = [] if "power" in options.without else out_of_control(form, options, seed, progress)
    return counted, found


def read_parts(files: Sequence[Path]) -> tuple[list[Counted], list[Found]]:
    """Read what earlier runs with ``--json`` measured, in the order of a single run."""
    parts = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    windows, streams, happen = list(GRIDS), list(STREAMS), list(INJECTIONS)
    counted = [Counted.from_json(cell) for part in parts for cell in part["false_alarms"]]
    found = [Found.from_json(cell) for part in parts for cell in part["power"]]
    counted.sort(
        key=lambda cell: (
            windows.index(cell.window),
            cell.features,
            BUDGETS.index(cell.budget),
            streams.index(cell.stream),
        )
    )
    found.sort(
        key=lambda cell: (
            windows.index(cell.window),
            streams.index(cell.stream),
            -cell.hour,
            happen.index(cell.injection),
        )
    )
    return counted, found


def in_control(form: Form, options: argparse.Namespace, seed: int, progress: Progress) -> list[Counted]:
    """Count false alarms."""
    settings = form.settings(options.stream, options.window, options.features, options.events)
    if options.models:
        settings = [replace(setting, models=options.models) for setting in settings]
    rules = {budget: Rule(options.rule, budget, options.baseline) for budget in BUDGETS}
    cells: list[Counted] = []
    task = progress.add_task("", total=sum(map(cost, settings)))
    for setting in settings:
        progress.update(task, description=f"{setting.stream}, {setting.grid.name}, {setting.features} features")
        counted = count_false_alarms(setting, rules, seed)
        progress.advance(task, cost(setting))
        for cell in counted:
            progress.console.print(summary(cell), highlight=False)
        cells += counted
    return cells


def out_of_control(form: Form, options: argparse.Namespace, seed: int, progress: Progress) -> list[Found]:
    """Measure what is found how soon, at a budget of 1 per 30d."""
    courses = form.chosen_courses(options.stream, options.window, options.events)
    if options.trials:
        courses = [replace(course, trials=options.trials) for course in courses]
    rule = Rule(options.rule, "1 per 30d", options.baseline)
    cells: list[Found] = []
    task = progress.add_task("", total=sum(course.trials for course in courses))
    for course in courses:
        progress.update(task, description=f"{course.stream}, {course.grid.name}, things happen")
        injections = course.injections(options.inject)
        found = find(course, injections, rule, seed, lambda: progress.advance(task))
        for cell in found:
            progress.console.print(summary(cell), highlight=False)
        cells += found
    return cells


def summary(cell: Counted | Found) -> str:
    """Return a line for who waits for hours."""
    if isinstance(cell, Counted):
        counts = f"{cell.first} of {cell.accepted_first:.1f}, later {cell.later} of {cell.accepted_later:.1f}"
        return f"{cell.window} {cell.stream}, {cell.features} features, {cell.budget}: {counts}"
    return (
        f"{cell.window} {cell.stream} {cell.injection}: {cell.within(2):.2f} in 2 windows of {len(cell.delays)} trials"
    )


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration", description=__doc__)
    parser.add_argument("--rule", default="change", help="the value of detect.rule (default: %(default)s)")
    parser.add_argument("--baseline", default="dataset", choices=["dataset", "rolling", *PERIODS], help="of the model")
    parser.add_argument("--long", action="store_true", help="every cell, in hours; else some, in ten minutes")
    parser.add_argument("--stream", nargs="+", default=[], choices=list(STREAMS), metavar="STREAM", help="only these")
    parser.add_argument("--window", nargs="+", default=[], choices=list(GRIDS), help="only these")
    parser.add_argument(
        "--inject", nargs="+", default=[], choices=list(INJECTIONS), metavar="INJECTION", help="only these"
    )
    parser.add_argument("--features", nargs="+", default=[], type=int, metavar="N", help="only these")
    parser.add_argument("--events", type=int, metavar="N", help="of a window, instead of the 500 or 1,000 it has")
    parser.add_argument("--models", type=int, metavar="N", help="in control of each cell, instead of the form's")
    parser.add_argument("--trials", type=int, metavar="N", help="of each thing that happens, instead of the form's")
    parser.add_argument(
        "--seed-set",
        default="tuning",
        choices=list(SEEDS),
        help="`table` is for the documentation: nobody who changes the rule looks at it (default: %(default)s)",
    )
    parser.add_argument("--without", nargs="+", default=[], choices=["false-alarms", "power"], help="leave out")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    parser.add_argument(
        "--parts", nargs="+", default=[], type=Path, metavar="FILE", help="print what earlier runs with --json measured"
    )
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the tables of --parts into a page that has them")
    options = parser.parse_args(arguments)
    if options.parts and options.json:
        parser.error("--parts are JSON already: leave out --json for their tables")
    if options.into and not options.parts:
        parser.error("--into needs --parts: a page shows what was measured, and is kept")
    return options


def cost(setting: Setting) -> int:
    """Return how many windows of signals a setting has, by which progress is measured."""
    return setting.features * setting.models * setting.days * setting.grid.per_day


if __name__ == "__main__":
    sys.exit(main())
