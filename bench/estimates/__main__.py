"""Prints how near estimates come to what turned out to be true; ``--nannyml`` beside NannyML's on the same events."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.calibration.peers.monitors import UNTRACKED, environment
from bench.estimates.realised import distances
from bench.estimates.tasks import TASKS, Task
from detectors.performance import Binary, Multiclass, Regression, Scheme
from monitor.config.performance import PerformancePlan
from monitor.estimators.artefact import Kind
from monitor.estimators.estimator import Estimator
from monitor.estimators.fitting import fit
from monitor.estimators.labelled import LabelledEvents
from monitor.values import DAY_MS

__all__ = ["main"]

Floats = NDArray[np.float64]
PROGRAM = Path(__file__).with_name("nannyml_runs.py")
KINDS: dict[str, tuple[Kind, ...]] = {"binary": ("cbpe", "mpp"), "multiclass": ("cbpe", "mpp"), "regression": ("dle",)}
ROUNDING = 1e-12
COLUMNS = ("constant", "cbpe", "mpp", "dle", "nannyml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit status."""
    options = _parsed(arguments)
    print(
        f"| data | events | chunks of | order | realised | {' | '.join(COLUMNS)} | nearest to nannyml |"
        " realised metrics |"
    )
    print(f"|---|---|---|---|---|{'---|' * len(COLUMNS)}---|---|")
    for name in options.task or TASKS:
        task = TASKS[name]()
        for shifted in (False, True):
            said = _estimates(task, shifted=shifted)
            theirs = _theirs(task, task.chunks(shifted=shifted)) if options.nannyml else None
            print(_row(task, said, theirs, shifted=shifted), flush=True)
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.estimates", description=__doc__)
    parser.add_argument("--task", action="append", choices=list(TASKS), help="only this one; may be repeated")
    parser.add_argument("--nannyml", action="store_true", help="beside NannyML, in an environment of its own")
    return parser.parse_args(arguments)


def _estimates(task: Task, *, shifted: bool) -> dict[str, Floats]:
    """Return what each estimator says of each chunk; first what turned out to be true."""
    chunks = task.chunks(shifted=shifted)
    said = {"realised": np.array([task.outcome[chunk].mean() for chunk in chunks])}
    said["constant"] = np.full(len(chunks), task.outcome[task.fitted_on].mean())
    for kind in KINDS[task.kind]:
        said[kind] = _ours(task, kind, chunks)
    return said


def _ours(task: Task, kind: Kind, chunks: Sequence[NDArray[np.int64]]) -> Floats:
    estimator = Estimator("estimated:x", fit(kind, _labelled(task, kind), _plan(task), "bench"))
    matrix = np.column_stack((task.probabilities if kind == "cbpe" else task.features, task.predicted))
    return np.array([estimator.of_numbers(matrix[chunk]).mean() for chunk in chunks])


def _labelled(task: Task, kind: Kind) -> LabelledEvents:
    rows = task.fitted_on
    numeric = {f"feature:f{number}": column[rows] for number, column in enumerate(task.features.T)}
    if kind != "cbpe" or task.kind != "multiclass":
        numeric["prediction:said"] = task.predicted[rows]
        return LabelledEvents(task.name, task.outcome[rows], numeric, {})
    numeric |= {signal: task.probabilities[rows, i] for i, signal in enumerate(_probabilities(task).values())}
    predicted, truth = (column[rows].astype(np.int64).astype(str).tolist() for column in (task.predicted, task.truth))
    return LabelledEvents(task.name, task.outcome[rows], numeric, {"prediction:said": predicted}, truth=truth)


def _probabilities(task: Task) -> dict[str, str]:
    return {f"{number}": f"prediction:p{number}" for number in range(task.probabilities.shape[1])}


def _plan(task: Task) -> PerformancePlan:
    schemes: dict[str, Scheme] = {
        "binary": Binary("1", 0.5, None, False),
        "multiclass": Multiclass(None, False),
        "regression": Regression(False),
    }
    scheme, of_classes = schemes[task.kind], _probabilities(task)
    return PerformancePlan(
        "prediction:said", "label:true", None, None, scheme, (), (DAY_MS,), 100, 1.0, None, probabilities=of_classes
    )


def _theirs(task: Task, chunks: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Return what NannyML estimates of each chunk, and what it says has turned out to be true."""
    events = np.concatenate((task.fitted_on, *chunks))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.npz"
        np.savez(
            path,
            kind=task.kind,
            features=np.nan_to_num(task.features[events]),
            truth=task.truth[events],
            predicted=task.predicted[events],
            probabilities=task.probabilities[events],
            fitted=len(task.fitted_on),
            size=len(chunks[0]),
        )
        command = [str(environment("nannyml")), str(PROGRAM), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | UNTRACKED, check=False)
    if done.returncode:
        raise SystemExit(f"NannyML failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _row(task: Task, said: dict[str, Floats], theirs: dict[str, Any] | None, *, shifted: bool) -> str:
    if theirs is not None:
        said = {**said, "nannyml": np.array(theirs["estimated"])}
    size = len(task.chunks(shifted=shifted)[0])
    cells = [task.name, f"{len(task.held_out):,}", f"{size:,}", "shifted" if shifted else "as it came"]
    cells.append(f"{said['realised'].min():.3g} to {said['realised'].max():.3g}")
    cells += [_error(task, said, name) for name in COLUMNS]
    realised = "–"
    if theirs is not None:
        apart = distances(task, _plan(task).scheme, task.chunks(shifted=shifted), theirs["realised"])
        name = max(apart, key=apart.__getitem__)
        realised = f"{len(apart)} equal" if apart[name] < ROUNDING else f"{name} {apart[name]:.2g} apart"
    return f"| {' | '.join([*cells, *_beside(task, said), realised])} |"


def _error(task: Task, said: dict[str, Floats], name: str) -> str:
    """Return the mean distance from what turned out to be true: in points of accuracy, or in the number's units."""
    if name not in said:
        return "–"
    return f"{_distance(said, name) * (1 if task.kind == 'regression' else 100):.3g}"


def _distance(said: dict[str, Floats], name: str) -> float:
    return float(np.abs(said[name] - said["realised"]).mean())


def _beside(task: Task, said: dict[str, Floats]) -> Iterator[str]:
    if "nannyml" not in said:
        yield "–"
    elif task.kind == "regression":
        yield f"distance {_distance(said, 'dle') / _distance(said, 'nannyml'):.2f} times"
    else:
        yield f"{100 * np.abs(said['cbpe'] / said['nannyml'] - 1).max():.2f} % apart at most"


if __name__ == "__main__":
    sys.exit(main())
