"""Changes configurations at random and checks each: ``python -m bench.soak_config --files 10000``.

Whatever stands in a file, checking it ends within a second, with a configuration or with mistakes that have a place.
What is accepted is shown to the JSON Schema as a second opinion: where that refuses it, one of the two is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import process_time
from typing import Any

import jsonschema

from monitor import check
from monitor.config import ConfigError
from monitor.config.document import read_documents
from monitor.config.json_schema import KINDS, json_schema
from tests.config.mutants import MODEL, mutant

LONGEST_S = 1.0
_COERCED = {"integer", "number", "boolean"}
"""Types for which a text is taken that says one: environment variables hold nothing else."""


@dataclass(frozen=True)
class Checked:
    """What became of one file.

    Attributes
    ----------
    verdict : str
        ``accepted``, ``refused``, ``traceback``, ``no place``, or ``disputed``: accepted, and refused by the schema.
    seconds : float
    reason : str
        The traceback, or what the schema says.
    """

    verdict: str
    seconds: float
    reason: str = ""


def checked(file: Path, schemas: dict[str, Any]) -> Checked:
    """Check one file as `leeway check` does."""
    began = process_time()
    try:
        check.load(file, data_sets=True)
    except ConfigError as error:
        seconds = process_time() - began
        has_places = all(mistake.line and mistake.column for mistake in error.mistakes)
        return Checked("refused" if has_places else "no place", seconds, str(error))
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        return Checked("traceback", process_time() - began, traceback.format_exc())
    seconds = process_time() - began
    reasons = list(_objections(file, schemas))
    return Checked("disputed" if reasons else "accepted", seconds, "; ".join(reasons))


def _objections(file: Path, schemas: dict[str, Any]) -> Iterator[str]:
    for document in read_documents(file):
        for error in schemas[document.value["kind"].lower()].iter_errors(document.value):
            if not _is_coerced(error):
                yield f"{error.json_path}: {error.message[:200]}"


def _is_coerced(error: Any) -> bool:
    """Whether all that the schema has against a text is that it says a number or a boolean."""
    alternatives = error.context or [error]
    return isinstance(error.instance, str) and any(
        each.validator == "type" and each.validator_value in _COERCED for each in alternatives
    )


def _import_detectors() -> None:
    """Import what a file may name, which takes longer than to check it."""
    for module in (
        "detectors.drift",
        "detectors.anomaly",
        "detectors.river_adapter",
        "monitor.decoders",
        "monitor.watch",
    ):
        import_module(module)
    import_module("detectors.river_adapter").check_each("river.drift.ADWIN", {})


def main(arguments: Sequence[str] | None = None) -> int:
    """Check so many files; 1 if one is not refused or accepted as it should be, or takes too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak_config", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first; each has its own")
    options = parser.parse_args(arguments)
    os.environ.setdefault("ADDRESS", "http://localhost/hook")
    schemas = {kind: jsonschema.Draft202012Validator(json_schema(kind)) for kind in KINDS}
    counts: dict[str, int] = {}
    slowest = 0.0
    is_wrong = False
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.yaml").write_text(MODEL)
        _import_detectors()
        file = Path(folder) / "file.yaml"
        for seed in range(options.seed, options.seed + options.files):
            file.write_text(mutant(seed), encoding="utf-8")
            result = checked(file, schemas)
            counts[result.verdict] = counts.get(result.verdict, 0) + 1
            slowest = max(slowest, result.seconds)
            if result.verdict not in {"accepted", "refused"} or result.seconds > LONGEST_S:
                is_wrong = True
                print(f"seed {seed}: {result.verdict} in {result.seconds:.2f} s: {result.reason[-2000:]}")
    print(json.dumps({"files": options.files, **counts, "slowest_s": round(slowest, 3)}))
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
