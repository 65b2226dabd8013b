"""Runs frouros' detectors over what it is sent on standard input, one request after another, until that ends.

A program of its own (``frouros.py`` starts it): it imports frouros from a folder that Leeway never sees. A request is a
line of JSON and then the observations, float64 in native order; an answer is a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


def detector(name: str, options: dict[str, Any]) -> Any:
    """Return a new detector; `options` are those of its configuration."""
    from frouros.detectors import concept_drift  # type: ignore[import-not-found]

    if not options:
        return getattr(concept_drift, name)()
    return getattr(concept_drift, name)(config=getattr(concept_drift, f"{name}Config")(**options))


def flags(made: Any, x: NDArray[np.float64]) -> list[int]:
    """Of each observation: 0, 1 for a warning, 2 for a drift, after which it starts anew, as its users have it."""
    found = []
    for value in x:
        made.update(value=value)
        found.append(2 if made.drift else int(made.status.get("warning", False)))
        if made.drift:
            made.reset()
    return found


def time_ns(made: list[Any], x: NDArray[np.float64]) -> list[float]:
    """Return the nanoseconds per observation of three rounds, in which the series take turns."""
    times = []
    values = x.tolist()
    for _ in range(3):
        start = time.perf_counter_ns()
        for i, value in enumerate(values):
            one = made[i % len(made)]
            one.update(value=value)
            if one.drift:
                one.reset()
        times.append((time.perf_counter_ns() - start) / len(values))
    return times


def answer(request: dict[str, Any], x: NDArray[np.float64]) -> list[Any]:
    """Return what a request asks for."""
    if request["verb"] == "time":
        return time_ns([detector(request["name"], request["options"]) for _ in range(request["number"])], x)
    return flags(detector(request["name"], request["options"]), x)


def main(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    for line in requests:
        request = json.loads(line)
        x = np.frombuffer(requests.read(8 * request["n"]), dtype=np.float64)
        reply: dict[str, Any]
        try:
            reply = {"found": answer(request, x)}
        # Whatever frouros raises belongs to who asked.
        except Exception as error:  # noqa: BLE001
            reply = {"error": repr(error)}
        answers.write(json.dumps(reply).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # frouros' own, such as those of the tests that it calls on short samples
    main(sys.stdin.buffer, sys.stdout.buffer)
