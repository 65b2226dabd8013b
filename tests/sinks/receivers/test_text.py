"""What people read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinks.receivers import template
from sinks.receivers.contract import Alert
from sinks.receivers.text import Text, Worded
from tests.sinks.receivers.notifications import group

FIRING = Alert(
    "firing",
    {"alertname": "LeewayDrift", "model": "flights", "severity": "critical"},
    {"summary": "flights: feature:hour moved", "description": "feature:hour moved since 05:30\nfeature:day moved too"},
    1_360_387_800_000,
    generator_url="http://leeway.example/alerts/1",
)
ENDED = Alert("resolved", FIRING.labels, FIRING.annotations, FIRING.starts_at_ms, 1_360_391_400_000)


def test_a_firing_alert_says_what_moved_since_when_and_where_to_look() -> None:
    title, text = Text().of(group((FIRING,)))
    assert title == "CRITICAL: flights: feature:hour moved"
    assert text.splitlines() == [
        "feature:hour moved since 05:30",
        "feature:day moved too",
        "since 2013-02-09 05:30 UTC",
        "http://leeway.example/alerts/1",
    ]


def test_an_end_says_when() -> None:
    title, text = Text().of(group((ENDED,)))
    assert title == "RESOLVED: flights: feature:hour moved"
    assert "since 2013-02-09 05:30 UTC, until 2013-02-09 06:30 UTC" in text


def test_several_alerts_are_told_apart() -> None:
    title, text = Text().of(group((FIRING, ENDED)))
    assert title == "CRITICAL: flights: feature:hour moved and 1 more"
    assert "flights: feature:hour moved (firing)" in text
    assert "flights: feature:hour moved (resolved)" in text


def test_a_title_is_about_the_gravest_of_those_that_fire() -> None:
    disk = Alert("firing", {"severity": "info"}, {"summary": "disk at 75 percent"}, 0)
    over = Alert("resolved", {"severity": "critical"}, {"summary": "login is slow"}, 0, 1)
    payments = Alert("firing", {"severity": "critical"}, {"summary": "payments are down"}, 0)
    title, text = Text().of(group((disk, over, payments)))
    assert title == "CRITICAL: payments are down and 2 more"
    assert [line for line in text.splitlines() if line.endswith(")")] == [
        "payments are down (firing)",
        "disk at 75 percent (firing)",
        "login is slow (resolved)",
    ]


def test_an_alert_without_annotations_is_told_by_its_name() -> None:
    title, _ = Text().of(group((Alert("firing", {"alertname": "Up"}, {}, 0),)))
    assert title == "ALERT: Up"


def test_a_template_may_use_labels_that_are_not_there() -> None:
    own = Text(title="{{ status }} {{ common_labels.team }}|{{ alerts[0].labels['a b'] }}")
    assert own.of(group((FIRING,)))[0] == "firing |"


def test_a_title_is_one_line() -> None:
    assert Text(title="a\n  b\r\nc").of(group((FIRING,)))[0] == "a b c"


@pytest.mark.parametrize(
    "broken",
    [
        "{{ alerts[9].labels }}",
        "{{ 1 / 0 }}",
        "{{ status + 1 }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ group_labels.update({'a': 'b'}) }}",
        "{{ alerts | map(attribute='x') | sum }}",
        "{% include 'other' %}",
        "{{ range(10 ** 9) | list }}",
        "{{ alerts | dictsort }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% for _ in range(99999) %}{% for _ in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 'x' * 10 ** 10 }}",
        "{{ 'x' * 10 ** 7 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% set n = namespace(x='xx') %}{% for _ in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    ],
)
def test_a_template_that_fails_does_not_swallow_the_page(broken: str) -> None:
    title, text = Text(title=broken).of(group((FIRING,)))
    assert title.startswith("CRITICAL: flights: feature:hour moved (the template of the title fails: ")
    assert "feature:day moved too" in text


def test_a_template_works_again_after_one_that_was_ended() -> None:
    once = Text(
        title="{% if status == 'firing' %}{{ 9 ** (9 ** (status | length + 3)) }}{% endif %}over", text="all is well"
    )
    title, text = once.of(group((FIRING,)))
    assert title.endswith("(the template of the title fails: it takes more than 2 s)")
    assert text == "all is well"
    assert once.of(group((ENDED,))) == ("over", "all is well")


IMPATIENT = """
import importlib.util, sys
found = importlib.util.spec_from_file_location("template", {path!r})
template = importlib.util.module_from_spec(found)
found.loader.exec_module(template)
template.MOST_CPU_S = 0.1
template.serve()
"""


@pytest.fixture
def _impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = tmp_path / "impatient.py"
    impatient.write_text(IMPATIENT.format(path=template.__file__))
    monkeypatch.setattr(template, "__file__", str(impatient))


@pytest.mark.usefixtures("_impatient")
def test_a_template_that_is_ended_again_and_again_is_tried_less_often() -> None:
    endless = Text(title="{% if status == 'firing' %}{{ 9 ** (9 ** (status | length + 3)) }}{% endif %}over")
    titles = [endless.of(group((FIRING,)))[0] for _ in range(9)]
    assert [title.endswith("is not tried each time)") for title in titles] == [
        *(False, False, True),
        *(False, True, True, True),
        *(False, True),
    ]
    assert "the template of the title fails: it takes more than 2 s again and again" in titles[2]
    others = [endless.of(group((ENDED,)))[0] for _ in range(7)]
    assert others[-1] == "over", "it is tried again in the end"
    assert endless.of(group((FIRING,)))[0].endswith("it takes more than 2 s)")


@pytest.mark.usefixtures("_impatient")
def test_a_template_that_fails_at_once_between_its_endless_tries_is_tried_less_often_too() -> None:
    bad = Text(title="{% if status == 'firing' %}{{ 9 ** (9 ** (status | length + 3)) }}{% endif %}{{ 1 / 0 }}")
    titles = [bad.of(group((alert,)))[0] for _ in range(20) for alert in (FIRING, ENDED)]
    assert sum(title.endswith("it takes more than 2 s)") for title in titles) <= 6


def test_the_process_that_renders_may_end_when_it_has_nothing_to_do() -> None:
    own = Text(title="{{ status }}")
    assert own.of(group((FIRING,)))[0] == "firing"
    process = own._renderer._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    with Path(os.devnull).open("w") as gone:
        process.stdin = gone
        assert own.of(group((ENDED,)))[0] == "resolved"


def test_a_template_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        Worded(kind="k", name="n", text="{{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}")


def test_a_template_that_is_none_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"text\n.* line 2: .*unexpected '}'"):
        Worded(kind="k", name="n", text="fine\n{{ status }")
