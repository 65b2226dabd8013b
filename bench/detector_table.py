"""How the change detectors behave: false alarms, delays and misses, ours beside the peers', on fixed seeds.

``make detector-table`` prints it. Two tables:

* **False alarms** in 100,000 observations in which nothing changes, with the 95 % interval of a Poisson count, on
  streams that are Gaussian, uniform, exponential, Student-t with 3 degrees of freedom, and 0/1 with 20 % ones. A
  detector runs over stretches of 100,000 observations, going on after an alarm as it does by itself.
* **Delay** in observations from a change to the first alarm after it, on average over the trials that saw one, and the
  share of trials that did not see it within 2,000 observations. The change comes after 2,000 observations. In brackets
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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from scipy import stats

from bench.contenders import FROUROS, MOA, Always, Contender, Never, of_peer, ours, rivers
from detectors.drift import DETECTORS
from tests.services.cache import UnavailableError
from tests.services.peers import Frouros, Moa, PeerError

STRETCH = 100_000
BEFORE = AFTER = 2_000
Matrix = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Matrix]


@dataclass(frozen=True)
class Stream:
    """Independent observations of one distribution, and what it takes to use them."""

    name: str
    mean: float
    sd: float
    domain: str
    draw: Draw


@dataclass(frozen=True)
class Change:
    """What becomes of a stream: `before` and `after` make observations of what `draw` gives."""

    name: str
    stream: str
    divergence: float
    draw: Draw
    before: Callable[[Matrix], Matrix]
    after: Callable[[Matrix], Matrix]


def _gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    return rng.normal(0.5, 0.1, shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    return rng.random(shape)


def _ones_below(share: float) -> Callable[[Matrix], Matrix]:
    return lambda u: (u < share).astype(np.float64)


def _as_it_is(x: Matrix) -> Matrix:
    return x


IN_CONTROL = (
    Stream("gaussian", 0.5, 0.1, "real", _gaussian),
    Stream("uniform", 0.5, math.sqrt(1 / 12), "unit", _uniform),
    Stream("exponential", 1.0, 1.0, "real", lambda rng, shape: rng.exponential(1.0, shape)),
    Stream("student t(3)", 0.0, math.sqrt(3.0), "real", lambda rng, shape: rng.standard_t(3, shape)),
    Stream("0/1, 20 %", 0.2, 0.4, "binary", lambda rng, shape: _ones_below(0.2)(rng.random(shape))),
)
"""Streams by the narrowest domain that they belong to."""


def _shift(size: float) -> Change:
    return Change(f"{size:+g} sd", "gaussian", size**2 / 2, _gaussian, _as_it_is, lambda x: x + 0.1 * size)


def _spread(factor: float) -> Change:
    divergence = (factor**2 - 1) / 2 - math.log(factor)
    return Change(f"sd x {factor:g}", "gaussian", divergence, _gaussian, _as_it_is, lambda x: 0.5 + factor * (x - 0.5))


def _errors(after: float) -> Change:
    divergence = after * math.log(after / 0.2) + (1 - after) * math.log((1 - after) / 0.8)
    return Change(f"0.2 to {after:g}", "0/1, 20 %", divergence, _uniform, _ones_below(0.2), _ones_below(after))


CHANGES = (*map(_shift, (0.25, 0.5, 1.0, 2.0, -1.0)), _spread(2.0), *map(_errors, (0.3, 0.5, 0.1)))

_WIDTH = {"binary": 0, "unit": 1, "real": 2}


def takes(contender: Contender, domain: str) -> bool:
    """Whether a detector is made for a stream; one of numbers from 0 to 1 takes zeros and ones too."""
    return _WIDTH[domain] <= _WIDTH[contender.domain]


def seeded(*words: object) -> np.random.Generator:
    """Return a generator that depends on nothing but `words`."""
    return np.random.default_rng(list("/".join(map(str, words)).encode()))


def false_alarms(contender: Contender, stream: Stream, observations: int) -> dict[str, Any]:
    """Count alarms in about `observations` observations in which nothing changes."""
    length = min(STRETCH, observations)
    alarms = 0
    for i in range(observations // length):
        rows = stream.draw(seeded("in control", stream.name, i), (1, length))
        alarms += len(contender.drifts(rows, {"mean": stream.mean, "sd": stream.sd})[0])
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
    drawn = change.draw(seeded("change", change.name), (trials, BEFORE + AFTER))
    rows = np.hstack([change.before(drawn[:, :BEFORE]), change.after(drawn[:, BEFORE:])])
    fired = contender.drifts(rows, {"mean": stream.mean, "sd": stream.sd})
    after = [found[found >= BEFORE] for found in fired]
    found = [int(positions[0]) - BEFORE + 1 for positions in after if len(positions)]
    return {
        "trials": trials,
        "mean": float(np.mean(found)) if found else None,
        "median": float(np.median(found)) if found else None,
        "missed": 1 - len(found) / trials,
        "early": sum(bool((positions < BEFORE).any()) for positions in fired) / trials,
        "bound": math.log(max(arl, 1.0)) / change.divergence,
    }


def measured(contender: Contender, observations: int, trials: int, step: Callable[[], None]) -> dict[str, Any]:
    """Return a row of both tables."""
    row: dict[str, Any] = {"whose": contender.whose, "name": contender.name, "false_alarms": {}, "delays": {}}
    for stream in IN_CONTROL:
        if takes(contender, _least_domain(stream)):
            enough = observations // contender.slowness
            row["false_alarms"][stream.name] = _or_error(partial(false_alarms, contender, stream, enough))
        step()
    for change in CHANGES:
        quiet = row["false_alarms"].get(change.stream, {"error": "outside its domain"})
        if "error" not in quiet:
            enough = max(trials // math.ceil(math.sqrt(contender.slowness)), trials // 40)
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
