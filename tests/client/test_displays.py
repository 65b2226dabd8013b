"""What a notebook shows of answers: words and charts, no script, every text escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from monitor.api.app import create_app
from monitor.client import Leeway
from monitor.client.displays import drawn_history
from monitor.client.inprocess import InProcess
from tests.api.full_world import full_world
from tests.api.world import step

HOSTILE = '<img src=x onerror="alert(1)">\'&'


class Reader(HTMLParser):
    """Collects the text and the tags of a page, and what is not closed."""

    VOID = ("br", "line", "rect", "circle", "polyline")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self._open = "", set[str](), list[str]()
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attributes if name.startswith("on")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def leeway() -> Iterator[Leeway]:
    world = full_world()
    signals = json.dumps([{"signal": HOSTILE, "segment": "", "version": "v1", "since_ms": 1, "reason": HOSTILE}])
    world.add("alerts", [step("h", 0, "firing", 5_000_000, signals=signals, title=HOSTILE)])
    world.names("feature:country", 20_000, {HOSTILE: 5})
    with Leeway("http://world", retries=0, transport=InProcess(create_app(world))) as client:
        yield client


SHOWN: dict[str, tuple[Callable[[Leeway], Any], str]] = {
    "history": (lambda leeway: leeway.history("fraud"), "feature:amount"),
    "top": (lambda leeway: leeway.top(), "strength"),
    "alerts": (lambda leeway: leeway.alerts(), "firing"),
    "alert": (lambda leeway: leeway.alert("a"), "Notified: log"),
    "alert of which nobody knows": (lambda leeway: leeway.alert("b"), "Nobody has been notified"),
    "incident": (lambda leeway: leeway.incident("b"), "deployment new was at"),
    "window": (lambda leeway: leeway.explain_window("fraud", "feature:amount", 5), "did not alarm"),
    "rollout": (lambda leeway: leeway.rollout("r"), "missing:amount 1 % → 5 %"),
    "number": (
        lambda leeway: leeway.distribution(
            "fraud", "feature:amount", from_=10_000, to=20_000, against_from=0, against_to=10_000
        ),
        "3 values",
    ),
    "category": (
        lambda leeway: leeway.distribution(
            "fraud", "feature:country", from_=20_000, to=30_000, against_from=0, against_to=10_000
        ),
        "0 % → 100 % new",
    ),
    "compare": (
        lambda leeway: leeway.compare("fraud", from_=10_000, to=20_000, against_from=0, against_to=10_000),
        "feature:amount",
    ),
    "nothing": (lambda leeway: leeway.incidents(severity="info"), "no rows"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_an_answer_draws_itself(leeway: Leeway, name: str) -> None:
    ask, says = SHOWN[name]
    page = Reader(ask(leeway)._repr_html_())

    assert says in page.text.replace("\n", " ")
    assert page.tags.isdisjoint({"script", "img", "iframe", "a"})


def test_names_and_texts_of_strangers_are_shown_as_they_are(leeway: Leeway) -> None:
    span = {"from_": 20_000, "to": 30_000, "against_from": 0, "against_to": 10_000}
    documents: list[Any] = [
        leeway.alert("h"),
        leeway.incident("h"),
        leeway.distribution("fraud", "feature:country", **span),
    ]
    for shown in documents:
        page = Reader(shown._repr_html_())
        assert HOSTILE in page.text
        assert "img" not in page.tags


def test_a_document_is_a_dictionary_still(leeway: Leeway) -> None:
    incident = leeway.incident("b")

    assert isinstance(incident, dict)
    assert json.loads(json.dumps(incident)) == incident


def test_a_long_answer_is_shown_in_part(leeway: Leeway) -> None:
    world = full_world()
    world.add("alerts", [step(f"n{n:03}", 0, "firing", 10_000 + n) for n in range(60)])
    with Leeway("http://world", retries=0, transport=InProcess(create_app(world))) as many:
        assert "The first 50 rows" in Reader(many.alerts()._repr_html_()).text


def test_the_series_that_moved_most_comes_first_and_the_threshold_is_on_the_chart() -> None:
    def bucket(signal: str, end_ms: int, effect: float | None) -> dict[str, Any]:
        worst = {"effect": effect, "min_effect": 0.5}
        drifts = {"drift": 1} if effect and effect > 0.5 else {}
        key = {"signal": signal, "segment": "", "version": "v1", "detector": "ks"}
        return {**key, "bucket_end_ms": end_ms, "worst": worst, "statuses": drifts}

    page = drawn_history(
        [bucket("feature:b", t, 0.1) for t in (1, 2)] + [bucket("feature:a", t, t / 1.0) for t in (1, 2)]
    )

    assert page.index("feature:a") < page.index("feature:b")
    assert page.count("<circle") == 2
    assert page.count("stroke-dasharray") == 2
    assert "no rows" in drawn_history([])
    assert "largest: 0" in drawn_history([bucket("feature:c", 1, None)])


def test_a_window_in_drift_has_its_dot_though_its_effect_has_no_threshold_or_bound() -> None:
    series = {"model": "fraud", "signal": "volume", "segment": "", "version": "", "detector": "psi"}
    worsts = [
        {"effect": None, "min_effect": 0.1},
        {"effect": 0.5, "min_effect": 0.0},
        {"effect": 1e308, "min_effect": 1e-9},
    ]
    buckets = [
        {**series, "bucket_end_ms": end_ms, "worst": worst, "statuses": {"drift": 1}}
        for end_ms, worst in enumerate(worsts, start=1)
    ]
    drawn = drawn_history(buckets)
    assert drawn.count("<circle") == 3
    assert not re.search(r"\b(nan|inf)\b", drawn)
