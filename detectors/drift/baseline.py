"""The mean and sd that charts compare with, where the user may give them: what makes no sense to give."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.contract import ParameterError, Value

__all__ = ["check_baseline"]


def check_baseline(detector: str, values: Mapping[str, Value]) -> None:
    """Raise ParameterError if only one of mean and sd is given, or one with scores that are not compared with it.

    Examples
    --------
    >>> check_baseline("cusum", {"mean": 0.0, "sd": None, "scores": "plain"})
    Traceback (most recent call last):
    detectors.contract.ParameterError: cusum: sd=None is not allowed; give both mean and sd, or neither; mean is given
    """
    for name, other in (("mean", "sd"), ("sd", "mean")):
        if values[name] is None and values[other] is not None:
            raise ParameterError(detector, name, None, f"give both mean and sd, or neither; {other} is given")
    if values["scores"] == "raw" and values["sd"] is not None:
        raise ParameterError(detector, "scores", "raw", "they are taken from the running mean; leave out mean and sd")
