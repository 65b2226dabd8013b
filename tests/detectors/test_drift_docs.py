"""What the documentation says of detectors is what the code does."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from detectors.behaviour import CHANGES, STREAMS
from detectors.contract import SIGNALS
from detectors.drift import DETECTORS
from detectors.pages import main, pages

DOCS = Path(__file__).parents[2] / "docs"
MEASURED = json.loads((DOCS / "detectors" / "measured.json").read_text())
BEHAVIOUR = json.loads((DOCS / "detectors" / "behaviour.json").read_text())["rows"]


def test_every_page_is_as_the_code_has_it() -> None:
    written = {page.name: page.read_text(encoding="utf-8") for page in (DOCS / "detectors").glob("*.md")}
    assert written == pages(MEASURED, BEHAVIOUR), "run: make docs"


def test_writing_pages_removes_those_of_detectors_that_are_no_more(tmp_path: Path) -> None:
    for file in (DOCS / "detectors").glob("*.json"):
        shutil.copy(file, tmp_path)
    (tmp_path / "gone.md").write_text("# `gone`\n")
    main(tmp_path)
    assert {page.name for page in tmp_path.glob("*.md")} == set(pages({}, []))


def test_a_page_says_what_was_measured_beside_peers_or_that_nothing_was() -> None:
    measured = {
        "adwin": {"best_ns": {"many": 18.4, "river": 120.0, "moa": 186.0}},
        "kswin": {"best_ns": {"many": 1400.0}},
    }
    assert (
        "**Cost.** 18 ns for an observation, in batches, on one core; river's 120 ns, MOA's 186 ns"
        in pages(measured, [])["adwin.md"]
    )
    assert "**Cost.** 1.4 µs for an observation, in batches, on one core ([measured]" in pages(measured, [])["kswin.md"]
    assert "**Cost.** Not measured yet." in pages({}, [])["adwin.md"]


def test_what_was_measured_stands_on_the_page_of_each_detector_and_on_that_of_all() -> None:
    alarms = {"gaussian": {"per_100k": 0.25, "low": 0.1, "high": 12.3}, "0/1": {"error": "ValueError"}}
    delays = {"+1 sd": {"mean": 34.6, "bound": 25.2, "missed": 0.031}, "+2 sd": {"mean": None, "missed": 1.0}}
    rows = [
        {"whose": "leeway", "name": "cusum", "false_alarms": alarms, "delays": delays},
        {"whose": "leeway, told", "name": "cusum", "false_alarms": {}, "delays": {}},
        {"whose": "MOA", "name": "CusumDM", "false_alarms": {}, "delays": {}},
    ]
    mine, everyone = (pages({}, rows)[name] for name in ("cusum.md", "behaviour.md"))
    assert "| as it is | 0.25 (0.1 to 12) | error |\n| told mean and sd | – | – |" in mine
    assert "| as it is | 35 (25), 3% missed | missed |" in mine
    assert "| leeway `cusum` | 0.25 (0.1 to 12) | error |" in everyone
    assert "| MOA `CusumDM` | – | – |" in everyone
    assert "Measured**" not in pages({}, rows)["adwin.md"]


OURS = {row["name"]: row for row in BEHAVIOUR if row["whose"] == "leeway"}


def fails(name: str, signals: str) -> bool:
    """Whether one of 100,000 values is a false alarm, or most changes there were to find were missed."""
    row = OURS[name]
    rates = [row["false_alarms"][stream]["per_100k"] for stream in STREAMS[signals] if stream in row["false_alarms"]]
    missed = [row["delays"][change]["missed"] for change in CHANGES.get(signals, ()) if change in row["delays"]]
    return any(rate > 1.0 for rate in rates) or any(share > 0.5 for share in missed)


@pytest.mark.parametrize("name", DETECTORS)
def test_what_a_detector_fails_at_is_what_its_page_says_and_what_it_names_instead_does_not(name: str) -> None:
    unsuited = DETECTORS[name].unsuited
    assert {each.signals for each in unsuited} == {signals for signals in SIGNALS if fails(name, signals)}
    for each in unsuited:
        assert not fails(each.instead, each.signals)
        assert f"- {SIGNALS[each.signals]}: {each.reason}. Take [`{each.instead}`]" in pages({}, [])[f"{name}.md"]


@pytest.mark.parametrize("name", DETECTORS)
def test_independent_values_alarm_at_most_once_in_100_000(name: str) -> None:
    special = {stream for streams in STREAMS.values() for stream in streams}
    rates = {k: cell["per_100k"] for k, cell in OURS[name]["false_alarms"].items() if k not in special}
    assert rates
    assert max(rates.values()) <= 1.0


def test_the_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", (DOCS / "detectors.md").read_text(), re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        exec(compile(example, "docs/detectors.md", "exec"), {})
