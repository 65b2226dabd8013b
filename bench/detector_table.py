"""How the change detectors behave: false alarms, delays and misses, ours beside the peers', on fixed seeds.

``make detector-table`` prints it. Two tables:

* **False alarms** in 100,000 observations in which nothing changes, with the 95 % interval of a Poisson count, on
  streams that are Gaussian, uniform, exponential, Student-t with 3 degrees of freedom, and 0/1 with 20 % ones; on
  harder ones, sparse, of heavy tails, or 0/1 with few ones; and on some whose values follow one another. A detector
  runs over stretches of 100,000 observations, going on after an alarm as it does by itself.
* **Delay** in observations from a change to the first alarm after it, on average over the trials that saw one, and the
  share of trials that did not see it within 2,000 observations (5,000 and 50,000, where 1 % and 0.1 % are errors). As
  many come before the change. In brackets
  is what no detector with as few false alarms can beat in the long run: log ARL / KL divergence (Lorden 1971), for the
  average run length ARL between its own false alarms (where none was seen: at the upper end of the interval).

"told" is a detector that was given the mean and standard deviation before the change, a good baseline; others learn
it from the stream. All have their default settings. Two that know nothing, one that always fires and one that never
does, show what a delay without false alarms, or the reverse, is worth. Slow detectors are tried on fewer observations,
which the intervals and ``--json`` show.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from scipy import stats

from bench.contenders import FROUROS, MOA, Always, Contender, Never, Ours, of_peer, ours, rivers
from bench.detector_streams import CHANGES, IN_CONTROL, Change, Stream, seeded
from detectors.drift import DETECTORS
from tests.services.cache import UnavailableError
from tests.services.peers import Frouros, Moa, PeerError

STRETCH = 100_000

_WIDTH = {"binary": 0, "unit": 1, "real": 2}


def takes(contender: Contender, stream: Stream) -> bool:
    """Whether a detector is made for a stream; one of numbers from 0 to 1 takes zeros and ones too."""
    told = isinstance(contender, Ours) and contender.told
    return _WIDTH[_least_domain(stream)] <= _WIDTH[contender.domain] and (bool(stream.baseline) or not told)


def false_alarms(contender: Contender, stream: Stream, observations: int) -> dict[str, Any]:
    """Count alarms in about `observations` observations in which nothing changes."""
    length = min(STRETCH, observations)
    alarms = 0
    for i in range(observations // length):
        rows = stream.draw(seeded("in control", stream.name, i), (1, length))
        alarms += len(contender.drifts(rows, stream.baseline)[0])
    seen = observations // length * length
    low = float(stats.chi2.ppf(0.025, 2 * alarms)) / 2 if alarms else 0.0
    high = float(stats.chi2.ppf(0.975, 2 * alarms + 2)) / 2
    per = 1e5 / seen
    return {
        "observations": seen,
        "alarms": alarms,
        "per_100k": alarms * per,
        "low": low * per,
        "high": high * per,
        "arl": seen / (alarms or high),
    }


def delays(contender: Contender, change: Change, trials: int, arl: float) -> dict[str, Any]:
    """Measure how long after a change the first alarm comes."""
    (stream,) = (s for s in IN_CONTROL if s.name == change.stream)
    span = change.span
    drawn = change.draw(seeded("change", change.name), (trials, 2 * span))
    rows = np.hstack([change.before(drawn[:, :span]), change.after(drawn[:, span:])])
    fired = contender.drifts(rows, stream.baseline)
    after = [positions[positions >= span] for positions in fired]
    waits = [int(positions[0]) - span + 1 for positions in after if len(positions)]
    return {
        "trials": trials,
        "mean": float(np.mean(waits)) if waits else None,
        "median": float(np.median(waits)) if waits else None,
        "missed": 1 - len(waits) / trials,
        "early": sum(bool((positions < span).any()) for positions in fired) / trials,
        "bound": math.log(max(arl, 1.0)) / change.divergence,
    }


def measured(contender: Contender, observations: int, trials: int, step: Callable[[], None]) -> dict[str, Any]:
    """Return a row of both tables."""
    row: dict[str, Any] = {"whose": contender.whose, "name": contender.name, "false_alarms": {}, "delays": {}}
    for stream in IN_CONTROL:
        if takes(contender, stream):
            enough = observations // contender.slowness
            row["false_alarms"][stream.name] = _or_error(partial(false_alarms, contender, stream, enough))
        step()
    for change in CHANGES:
        quiet = row["false_alarms"].get(change.stream, {"error": "outside its domain"})
        if "error" not in quiet:
            divisor = change.trials_divisor * min(math.ceil(math.sqrt(contender.slowness)), 40)
            enough = max(trials // divisor, 1)
            row["delays"][change.name] = _or_error(partial(delays, contender, change, enough, quiet["arl"]))
        step()
    return row


def _least_domain(stream: Stream) -> str:
    # Clipping would hardly change it: five standard deviations lie between 0.5 and either end.
    return "unit" if stream.name == "gaussian" else stream.domain


def _or_error(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is measured, or what the peer raised: some of them cannot take negative numbers."""
    try:
        return measure()
    except PeerError as error:
        return {"error": str(error)}


def contenders(options: argparse.Namespace, stack: ExitStack) -> list[Contender]:
    """Return those to be compared."""
    given = dict(setting.split("=", 1) for setting in options.set)
    params = {name: _value(text) for name, text in given.items()}
    found: list[Contender] = [Always("nobody", "always", "real"), Never("nobody", "never", "real")]
    for name, detector in DETECTORS.items():
        if not options.only or name in options.only:
            found += ours(name, detector, params)
    if options.peers and not options.only:
        found += rivers()
        found += of_peer("MOA", stack.enter_context(Moa(for_load=True)), {name: (d, 10) for name, d in MOA.items()})
        found += of_peer("frouros", stack.enter_context(Frouros()), FROUROS)
    return found


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield both tables as text."""
    yield f"{'false alarms per 100,000':36}" + "".join(f"{s.name:>22}" for s in IN_CONTROL)
    for row in rows:
        cells = [row["false_alarms"].get(stream.name) for stream in IN_CONTROL]
        yield f"{row['whose'] + ' ' + row['name']:36}" + "".join(f"{_rate(cell):>22}" for cell in cells)
    yield ""
    yield f"{'delay (bound), missed':36}" + "".join(f"{c.name:>18}" for c in CHANGES)
    at = [math.log(1e5) / change.divergence for change in CHANGES]
    yield f"{'bound at 1 alarm per 100,000':36}" + "".join(f"{bound:>18.0f}" for bound in at)
    for row in rows:
        cells = [row["delays"].get(change.name) for change in CHANGES]
        yield f"{row['whose'] + ' ' + row['name']:36}" + "".join(f"{_delay(cell):>18}" for cell in cells)


def _rate(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "-"
    if "error" in cell:
        return "error"
    return f"{_short(cell['per_100k'])} ({_short(cell['low'])}-{_short(cell['high'])})"


def _short(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 1 or rate == 0 else f"{rate:.2g}"


def _delay(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "-"
    if "error" in cell:
        return "error"
    missed = f" {cell['missed']:.0%}" if cell["missed"] else ""
    return "missed" if cell["mean"] is None else f"{cell['mean']:.0f} ({cell['bound']:.0f}){missed}"


def _rounded(value: Any) -> Any:
    """Keep four digits of each number: what is read by people and compared by version control."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def keep(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write `rows` into `file`, in the place of those of the same detectors that it has."""
    kept = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    by_name = {(row["whose"], row["name"]): row for row in (*kept, *map(_rounded, rows))}
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in by_name.values())
    file.write_text(f'{{"rows": [\n{text}\n]}}\n', encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(DETECTORS), default=[], help="these of ours, without peers")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="parameters, with --only one")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="only ours")
    parser.add_argument("--observations", type=int, default=10_000_000, help="in control, for the fastest")
    parser.add_argument("--trials", type=int, default=400, help="for each change, for the fastest")
    parser.add_argument("--quick", action="store_true", help="a tenth of both")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="keep the same JSON, for the pages; rows not measured now stay"
    )
    options = parser.parse_args(arguments)
    if options.set and len(options.only) != 1:
        parser.error("--set wants --only and one detector")
    part = 10 if options.quick else 1
    with ExitStack() as stack, Progress(console=Console(stderr=True), transient=True) as progress:
        try:
            compared = contenders(options, stack)
        except UnavailableError as error:
            print(f"{error}\nWithout them: --no-peers", file=sys.stderr)
            return 1
        task = progress.add_task("", total=len(compared) * (len(IN_CONTROL) + len(CHANGES)))
        rows = []
        for contender in compared:
            progress.update(task, description=f"{contender.whose} {contender.name}")
            step = partial(progress.advance, task)
            rows.append(measured(contender, options.observations // part, options.trials // part, step))
    if options.write:
        keep(options.write, rows)
    print(json.dumps({"rows": rows}) if options.json else "\n".join(lines(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
