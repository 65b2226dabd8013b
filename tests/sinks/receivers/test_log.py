"""The log receiver writes a line that explains the alert."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from sinks.receivers.contract import Alert
from sinks.receivers.log import Log, LogParameters
from tests.sinks.receivers.notifications import group


def alert(status: str, severity: str, description: str) -> Alert:
    return Alert(
        status="resolved" if status == "resolved" else "firing",
        labels={"model": "flights", "severity": severity},
        annotations={"summary": "it moved", "description": description},
        starts_at_ms=5,
        ends_at_ms=9,
        generator_url="http://leeway.example/alerts/1",
    )


def test_a_line_holds_the_reasons_labels_and_link() -> None:
    with capture_logs() as lines:
        Log(LogParameters(kind="log")).send(group((alert("firing", "critical", "a moved\nb moved"),)))
    assert lines == [
        {
            "event": "alert firing",
            "log_level": "error",
            "summary": "it moved",
            "reasons": ["a moved", "b moved"],
            "labels": {"model": "flights", "severity": "critical"},
            "link": "http://leeway.example/alerts/1",
            "starts_at_ms": 5,
        }
    ]


def test_each_alert_of_a_notification_has_its_line() -> None:
    with capture_logs() as lines:
        Log(LogParameters(kind="log")).send(group((alert("firing", "warning", ""), alert("resolved", "warning", ""))))
    assert [(line["event"], line["reasons"], line.get("ends_at_ms")) for line in lines] == [
        ("alert firing", [], None),
        ("alert resolved", [], 9),
    ]


@pytest.mark.parametrize(
    ("status", "severity", "level"),
    [
        ("firing", "critical", "error"),
        ("firing", "warning", "warning"),
        ("firing", "info", "info"),
        ("firing", "", "warning"),
        ("resolved", "critical", "info"),
    ],
)
def test_the_level_follows_the_severity(status: str, severity: str, level: str) -> None:
    with capture_logs() as lines:
        Log(LogParameters(kind="log")).send(group((alert(status, severity, ""),)))
    assert [line["log_level"] for line in lines] == [level]
