"""`leeway route test`: who would be told, by Alertmanager's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.console import Console
from tests.services.alertmanager import amtool

CONFIGURATION = """\
route:
  receiver: mail
  group_by: [model]
  routes:
    - matchers: ['severity="critical"', 'model=~"fraud|churn"']
      receiver: pager
      group_wait: 10s
      continue: true
    - matchers: [namespace = risk]
      receiver: risk
      mute_time_intervals: [night]
receivers:
  - name: mail
  - name: pager
    webhook_configs: [{url: "http://user:hunter2@127.0.0.1:9/pager"}]
  - name: risk
time_intervals:
  - name: night
    time_intervals:
      - times: [{start_time: 22:00, end_time: 24:00}, {start_time: "00:00", end_time: "06:00"}]
        location: Europe/Berlin
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yml"
    file.write_text(CONFIGURATION)
    return file


def test_it_says_who_is_told_in_which_group_and_when_not(file: Path, leeway: Console) -> None:
    labels = ("severity=critical", "model=fraud", "namespace=risk")
    said = leeway("route", "test", file, *labels, "--at", "2026-01-05T21:30:00Z", "--json")
    assert said.code == 0, said.err
    pager, risk = said.lines
    assert (pager["receiver"], pager["told"], pager["group_wait_ms"]) == ("pager", True, 10_000)
    assert pager["group_key"] == '{}/{model=~"fraud|churn",severity="critical"}:{model="fraud"}'
    assert (risk["receiver"], risk["told"], risk["muted"]) == ("risk", False, "within night")
    table = leeway("route", "test", file, "severity=info", "model=fraud")
    assert "mail" in table.out
    assert "pager" not in table.out


def test_annotations_are_given_like_labels_and_are_none(tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / "alertmanager.yml"
    routes = "[{matchers: ['annotation:summary=~\".*amount.*\"'], receiver: money, group_by: ['...']}]"
    file.write_text(f"route: {{receiver: mail, routes: {routes}}}\nreceivers: [{{name: mail}}, {{name: money}}]\n")
    said = leeway("route", "test", file, "model=fraud", "annotation:summary=fraud: amount moved", "--json")
    [row] = said.lines
    assert (row["receiver"], row["group_labels"]) == ("money", {"model": "fraud"})
    assert leeway("route", "test", file, "model=fraud", "--json").lines[0]["receiver"] == "mail"


@pytest.mark.parametrize("labels", [("severity=critical", "model=churn"), ("namespace=risk",), ("x=y",)])
def test_amtool_names_the_same_receivers(file: Path, leeway: Console, labels: tuple[str, ...]) -> None:
    said = leeway("route", "test", file, *labels, "--json")
    theirs = amtool("config", "routes", "test", f"--config.file={file}", *labels)
    assert [row["receiver"] for row in said.lines] == theirs.strip().split(",")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("receiver: risk", "receiver: risks", 10, "route.routes.1.receiver: no receiver is named 'risks'"),
        ("[night]", "[nite]", 11, "no time interval is named 'nite'"),
        ("namespace = risk", "namespace risk", 9, "route.routes.1.matchers: column 11: found 'risk' instead of ="),
        ("group_wait: 10s", "group_wait: 10", 7, "expected a duration such as 30s, 5m or 1h30m, got 10"),
        ("continue: true", "contine: true", 8, "unknown key"),
        ("webhook_configs", "victorops_configs", 15, "Alertmanager knows this key, but Leeway does not support it"),
        ('"06:00"', '"24:30"', 20, "expected a time from 00:00 to 24:00, got '24:30'"),
        ("Europe/Berlin", "Europe/Bärlin", 21, "no such time zone"),
        ("  group_by: [model]", "  matchers: [a=b]", 1, "the root matches every alert"),
        ("name: risk", "name: mail", 1, "two receivers are named 'mail'"),
        ("http://user", "ftp://user", 15, "expected an address that begins with http:// or https://"),
    ],
)
def test_what_is_wrong_or_not_supported_is_named_with_its_place(
    file: Path, leeway: Console, old: str, new: str, line: int, said: str
) -> None:
    file.write_text(CONFIGURATION.replace(old, new))
    answer = leeway("route", "test", file, "a=b")
    assert answer.code == 2
    assert said in answer.err
    assert f"{file}:{line}:" in answer.err
    assert "hunter2" not in answer.err


@pytest.mark.parametrize("label", ["a", "a!=b", "a=b,c=d"])
def test_labels_are_names_with_a_value(file: Path, leeway: Console, label: str) -> None:
    answer = leeway("route", "test", file, label)
    assert answer.code == 2
    assert repr(label) in answer.err


def test_a_file_that_holds_no_configuration_is_refused(tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / "empty.yml"
    file.write_text("")
    assert "as Alertmanager has it" in leeway("route", "test", file, "a=b").err
    assert "no such file" in leeway("route", "test", tmp_path / "missing.yml", "a=b").err
