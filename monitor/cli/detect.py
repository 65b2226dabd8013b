"""``leeway detect``: one detector over a column of a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.output import as_json
from monitor.cli.records import record
from monitor.errors import nearest_hint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detectors.anomaly import AnomalyBank
    from detectors.bank import Bank
    from detectors.river_banks import RiverBank
    from monitor.dataset import Dataset

__all__ = ["command"]


@dataclass(frozen=True)
class Detection:
    """What looks at which columns, as the options state it."""

    columns: tuple[str, ...]
    detector: str
    settings: tuple[str, ...]

    def bank(self) -> Bank | RiverBank | AnomalyBank:
        """Return the detector, for one series.

        Raises
        ------
        InputError
        """
        from detectors.anomaly import SCORERS
        from detectors.contract import ParameterError
        from detectors.drift import DETECTORS, UnknownDetectorError
        from detectors.river_adapter import is_rivers
        from detectors.river_banks import bank_of
        from monitor.errors import InputError

        name = self.detector
        if len(self.columns) > 1 and not (name in SCORERS and SCORERS[name].vectors):
            several = ", ".join(name for name, scorer in SCORERS.items() if scorer.vectors)
            raise InputError(f"{name} takes one column; {several} take several")
        try:
            bank = bank_of(name, _parameters(self.settings), len(self.columns))
            bank.resize(1)
        except ParameterError as error:
            raise InputError(str(error)) from error
        except UnknownDetectorError as error:
            message = str(error) if is_rivers(name) else _unknown(name, [*DETECTORS, *SCORERS])
            raise InputError(message) from error
        return bank


@click.command("detect")
@click.argument("file", type=click.Path(path_type=Path))
@record(
    "detection",
    Detection,
    click.option(
        "--column",
        "columns",
        multiple=True,
        required=True,
        help="The column to look at; of a vector, each of its columns.",
    ),
    click.option("--detector", required=True, help="adwin, cusum, robust_z …; see `leeway detectors`."),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated."),
)
@click.option("--warnings", is_flag=True, help="Print warnings as well as drifts.")
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if there is a drift or an anomaly.")
@click.option("--json", "json_", is_flag=True, help="One JSON object per line; this is the default.")
def command(file: Path, detection: Detection, *, warnings: bool, fail_on_alert: bool, json_: bool) -> None:
    """Run a detector over a column of FILE (CSV, Parquet or JSON lines), or a scorer over several, top to bottom.

    Prints one JSON object per drift or anomaly: the row's index, counted from 0, and the detector's score there, with
    the level of an anomaly. Rows in which a value is missing or no number are left out, and counted on stderr.
    """
    import numpy as np

    from detectors.anomaly import AnomalyBank
    from monitor.dataset import read_dataset

    bank = detection.bank()
    dataset = read_dataset(file)
    values = np.stack([_values(dataset, column) for column in detection.columns], axis=1)
    usable = np.flatnonzero(np.isfinite(values).all(axis=1))
    seen = values[usable]
    rows = _anomalies(bank, seen) if isinstance(bank, AnomalyBank) else _changes(bank, seen[:, 0])
    fired = [row for row in rows if row["status"] != "warning"]
    for row in rows if warnings else fired:
        as_json(row | {"index": int(usable[row["index"]])})
    outside, why = (0, "") if isinstance(bank, AnomalyBank) else _outside(bank, detection.detector)
    noun = "anomalies" if isinstance(bank, AnomalyBank) else "drifts"
    taken = len(usable) - outside
    click.echo(f"{taken} values, {len(values) - taken} skipped{why}, {len(fired)} {noun}", err=True)
    if fired and fail_on_alert:
        click.get_current_context().exit(1)


def _unknown(detector: str, names: list[str]) -> str:
    return f"there is no per-event detector {detector!r}; {nearest_hint(detector, names)}they are {', '.join(names)}"


def _changes(bank: Bank | RiverBank, values: NDArray[np.float64]) -> list[dict[str, Any]]:
    from detectors.contract import DRIFT, WARNING

    score, flag = bank.update_one(0, values)
    names = {WARNING: "warning", DRIFT: "drift"}
    return [
        {"index": index, "score": float(score[index]), "status": names[code]}
        for index, code in enumerate(flag.tolist())
        if code in names
    ]


def _outside(bank: Bank | RiverBank, detector: str) -> tuple[int, str]:
    """How many values the bank did not take, and why, in words."""
    from detectors.bank import Bank
    from detectors.contract import DOMAINS

    outside = int(bank.skipped[0])
    # Of river's detectors, only those of errors turn ordinary values away.
    takes = DOMAINS[bank.detector.domain if isinstance(bank, Bank) else "binary"]
    return outside, f" ({outside} of them because {detector} takes {takes})" if outside else ""


def _anomalies(bank: AnomalyBank, values: NDArray[np.float64]) -> list[dict[str, Any]]:
    import numpy as np

    scores = bank.update(np.zeros(len(values), dtype=np.int64), values)
    return [
        {
            "index": index,
            "score": float(scores.score[index]),
            "level": float(scores.level[index]),
            "status": "anomaly",
        }
        for index in scores.anomalies().tolist()
    ]


def _parameters(settings: tuple[str, ...]) -> dict[str, object]:
    parameters: dict[str, object] = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{setting!r} is not NAME=VALUE", param_hint="--set")
        parameters[name] = _value(text)
    return parameters


def _value(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _values(dataset: Dataset, column: str) -> NDArray[np.float64]:
    """Return the column as numbers; what is missing or no number is NaN."""
    import numpy as np

    from monitor.errors import InputError

    if not dataset.has(column):
        raise InputError(f"{dataset.path}: no column {column!r}; it has {', '.join(dataset.columns)}")
    try:
        return dataset.numeric(column)
    except InputError:
        # A column of text may still hold numbers here and there: `n/a` among them is common.
        return np.array([_number(text) for text in dataset.text(column)], dtype=np.float64)


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan
