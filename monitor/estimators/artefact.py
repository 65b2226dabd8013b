"""The file that a fitted estimator is: how it is written, read and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import xxhash

from detectors.estimate import Calibration, ClassCalibration, Trees
from monitor.errors import InputError

__all__ = [
    "ASSUMED",
    "FORMAT",
    "KINDS",
    "Artefact",
    "Fidelity",
    "Fitted",
    "Input",
    "Kind",
    "Knots",
    "StoredEvents",
    "knots_of",
    "read_artefact",
    "write_artefact",
]

Kind = Literal["cbpe", "mpp", "dle"]

KINDS: dict[str, str] = {
    "cbpe": "calibrated score: how often a prediction of this score is right",
    "mpp": "secondary model: how often a prediction for an event like this one is right",
    "dle": "secondary model: how far a predicted number for an event like this one is off",
}
"""What there is to fit."""

ASSUMED = {"covariate_shift": True, "concept_drift": False, "unseen_regions": False}
"""What every estimator sees of what may change, and what not."""

FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signal that a secondary model looks at.

    Attributes
    ----------
    signal : str
    numbers : dict of str to float, or None
        What stands for each name of a category; others are as if missing. None of a number.
        Of the class that was predicted, where its probability stands among the inputs.
    """

    signal: str
    numbers: dict[str, float] | None = None


class Knots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A calibration as lists."""

    scores: list[float]
    probabilities: list[float]


class StoredEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which stored events something was fitted on.

    Attributes
    ----------
    from_ms, to_ms : int
        Event time of the predictions, half-open.
    labelled_ms : int
        Of each event the newest label counts; none of them was known later than this, in the labels' own time.
    is_all : bool
        Whether these are all labelled events of that time that can be used; else those with the smallest hashes of
        their ids.
    """

    from_ms: int
    to_ms: int
    labelled_ms: int
    is_all: bool


def knots_of(calibration: Calibration) -> Knots:
    """Return a calibration as lists."""
    return Knots(calibration.scores.tolist(), calibration.probabilities.tolist())


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of what it was fitted.

    Attributes
    ----------
    source : str
        The name of the file, or ``the store``.
    events : int
    mean : float
        Share of right predictions, or mean absolute error.
    left_out : dict of str to str
        Signals that are not looked at, with the reason.
    stored : StoredEvents or None
        Of the store, which events.
    """

    source: str
    events: int
    mean: float
    left_out: dict[str, str]
    stored: StoredEvents | None = None


class Fidelity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How near estimates came to what turned out to be true, of events that they were not fitted on.

    Attributes
    ----------
    chunks, chunk_events : int
        Consecutive events that were estimated together.
    error : float
        Mean distance of a chunk's estimate from its realised value.
    constant_error : float
        The same of an estimator that always says the mean of what it was fitted on.
    chance_error : float
        What it would be if each event's estimate were its true probability or its true mean: a chunk's realised value
        differs from that by chance.
    """

    chunks: int
    chunk_events: int
    error: float
    constant_error: float
    chance_error: float


class Artefact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fitted estimator.

    Attributes
    ----------
    format : int
    kind : str
    model : str
    prediction : str
        The signal whose quality is estimated.
    threshold, positive : float and str, or None
        Of binary predictions.
    label : str or None
        The signal that says what turned out to be true.
    inputs : tuple of Input
        Of several classes the probability of each, then the class that was predicted.
    calibration : Knots or None
        From a score, or from what trees say, to a probability.
    calibrations : tuple of Knots
        That of each of several classes.
    trees : dict or None
        As `detectors.estimate.Trees.to_document` makes it.
    spread : tuple of float
        Quantiles of estimates, which panes are laid out by.
    fitted : Fitted
    fidelity : Fidelity
    """

    format: int
    kind: Kind
    model: str
    prediction: str
    fitted: Fitted
    fidelity: Fidelity
    spread: tuple[float, ...]
    threshold: float | None = None
    positive: str | None = None
    label: str | None = None
    inputs: tuple[Input, ...] = ()
    calibration: Knots | None = None
    calibrations: tuple[Knots, ...] = ()
    trees: dict[str, Any] | None = None

    def calibrated(self) -> Calibration | None:
        """Return its calibration, if it has one."""
        if self.calibration is None:
            return None
        return _calibration(self.calibration)

    def calibrated_classes(self) -> ClassCalibration | None:
        """Return the calibrations of its classes, if it has some."""
        return ClassCalibration([_calibration(each) for each in self.calibrations]) if self.calibrations else None

    @property
    def classes(self) -> dict[str, str]:
        """The signal of the probability of each class; empty without several classes."""
        if not self.calibrations:
            return {}
        *probabilities, predicted = self.inputs
        return dict(zip(predicted.numbers or {}, (each.signal for each in probabilities), strict=False))

    def boosted(self) -> Trees | None:
        """Return its trees, if it has some."""
        return None if self.trees is None else Trees.from_document(self.trees)

    @property
    def digest(self) -> str:
        """What an artefact is known by."""
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode(self))


def write_artefact(path: Path, artefact: Artefact) -> None:
    """Write a file that :func:`read_artefact` reads, as a whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(msgspec.json.encode(artefact) + b"\n")
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def read_artefact(path: Path) -> Artefact:
    """Read a fitted estimator.

    Raises
    ------
    InputError
        If there is no such file, or it is none of a fitted estimator, or of another format.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES:,} bytes: no fitted estimator")
        artefact = msgspec.json.decode(path.read_bytes(), type=Artefact)
        _check(artefact)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no fitted estimator: {error}") from error
    return artefact


def _check(artefact: Artefact) -> None:
    if artefact.format != FORMAT:
        raise ValueError(f"format {artefact.format}, and this version of leeway reads {FORMAT}: fit it again")
    calibration, trees = artefact.calibrated(), artefact.boosted()
    if artefact.calibrations:
        _check_classes(artefact)
    elif artefact.kind == "cbpe" and (calibration is None or artefact.threshold is None):
        raise ValueError("cbpe needs a calibration and a threshold")
    if artefact.kind != "cbpe" and (trees is None or trees.dimension != len(artefact.inputs)):
        raise ValueError(f"{artefact.kind} needs trees over its inputs")
    if artefact.kind == "mpp" and calibration is None:
        raise ValueError("mpp needs a calibration")
    if not artefact.spread:
        raise ValueError("nothing says how estimates spread")


def _check_classes(artefact: Artefact) -> None:
    count = len(artefact.calibrations)
    if artefact.kind != "cbpe" or artefact.trees is not None or artefact.calibration is not None:
        raise ValueError("calibrations of several classes are of cbpe alone")
    columns = [] if not artefact.inputs else list((artefact.inputs[-1].numbers or {}).values())
    probabilities = artefact.inputs[:-1]
    if (
        columns != list(range(count))
        or len(probabilities) != count
        or any(each.numbers is not None for each in probabilities)
    ):
        raise ValueError("cbpe of several classes needs a calibration and a probability of each, and the prediction")
    artefact.calibrated_classes()


def _calibration(knots: Knots) -> Calibration:
    import numpy as np

    calibration = Calibration(np.array(knots.scores), np.array(knots.probabilities))
    ascend = np.diff(calibration.scores) > 0, np.diff(calibration.probabilities) >= 0
    if not len(knots.scores) or len(knots.scores) != len(knots.probabilities) or not all(map(np.all, ascend)):
        raise ValueError("a calibration has scores that ascend, and probabilities that never fall")
    if not 0 <= knots.probabilities[0] <= knots.probabilities[-1] <= 1:
        raise ValueError("probabilities lie between 0 and 1")
    return calibration
