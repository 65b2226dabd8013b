"""What ``docs/detectors.md`` says of the change detectors is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detectors.contract import Detector
from detectors.drift import DETECTORS

PAGE = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text()


def parameter_table(name: str) -> str:
    section = PAGE.split(f"### `{name}`", maxsplit=1)[1]
    return next(block for block in section.split("\n\n") if block.startswith("| parameter |"))


@pytest.mark.parametrize("detector", list(DETECTORS.values()), ids=list(DETECTORS))
def test_every_parameter_stands_there_with_its_default(detector: Detector) -> None:
    told = {}
    for names, default in re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", parameter_table(detector.name), re.MULTILINE
    ):
        told |= {name.strip("`"): default.strip(" `") for name in names.split(", ")}
    for parameter in detector.parameters:
        expected = "learned" if parameter.default is None else str(parameter.default).removesuffix(".0")
        assert told.pop(parameter.name) == expected
    assert not told


def test_every_detector_stands_in_the_overview_with_its_memory() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+ k?B) \|", PAGE, re.MULTILINE))
    for name, detector in DETECTORS.items():
        size = detector.dtype.itemsize + 8 * detector.memory_width(detector.values())
        assert rows.pop(name) == (f"{size / 1000:.1f} kB" if size >= 1000 else f"{size} B")
    assert not rows


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/detectors.md", "exec"), {})
