"""Alertmanager's configuration: what it takes Leeway takes, and what it refuses Leeway refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from monitor.config.alerting import Alerting
from monitor.config.every_receiver import alerting_by_alert
from tests.services.alertmanager import ask

HOOK = "{url: 'http://h/'}"
RECEIVERS = f"receivers: [{{name: r, webhook_configs: [{HOOK}]}}, {{name: s}}]\n"
PLAIN = "route: {receiver: r}\n" + RECEIVERS


def told(entry: str) -> str:
    return f"route: {{receiver: r}}\nreceivers: [{{name: r, webhook_configs: [{entry}]}}]\n"


def within(interval: str) -> str:
    return f"{PLAIN}time_intervals: [{{name: t, time_intervals: [{interval}]}}]\n"


TAKEN = {
    "nothing but a receiver": PLAIN,
    "an empty global": "global:\n" + PLAIN,
    "a time to resolve": "global: {resolve_timeout: 0}\n" + PLAIN,
    "all labels": "route: {receiver: r, group_by: ['...']}\n" + RECEIVERS,
    "a route without anything": "route: {receiver: r, routes: [{}]}\n" + RECEIVERS,
    "no wait": "route: {receiver: r, group_wait: 0}\n" + RECEIVERS,
    "long waits": "route: {receiver: r, group_wait: 1y2w3d4h5m6s7ms}\n" + RECEIVERS,
    "numbers for labels": "route: {receiver: r, routes: [{match: {a: 1}, match_re: {b: 2}}]}\n" + RECEIVERS,
    "labels of any kind": "route: {receiver: r, group_by: ['größe', 'a b']}\n" + RECEIVERS,
    "a rule without anything": PLAIN + "inhibit_rules: [{}]\n",
    "keys without values": "route: {receiver: r, routes: , matchers: , group_by: }\nreceivers: [{name: r}]\n",
    "sections without values": "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: }]\ninhibit_rules:\n",
    "a receiver without webhooks": "route: {receiver: r, routes: []}\nreceivers: [{name: r, webhook_configs: []}]\n",
    "a rule that is not there": PLAIN + "inhibit_rules:\n-\n",
    "a rule": PLAIN + "inhibit_rules: [{source_match: {a: b}, target_matchers: ['c=d', 'e=~f'], equal: ['x y']}]\n",
    "an address in a file": told("{url_file: /etc/hook, max_alerts: 10}"),
    "times": within("{times: [{start_time: '00:00', end_time: '24:00'}]}"),
    "days": within("{days_of_month: ['1:-1', '5', '-3:-1']}"),
    "weekdays in capitals": within("{weekdays: ['Monday:FRIDAY']}"),
    "months": within("{months: ['1:3', 'may', 'june:december']}"),
    "years": within("{years: ['2020:2025', 2030]}"),
    "an interval that is empty": PLAIN + "mute_time_intervals: [{name: t}]\n",
    "the same receiver in several routes": "route: {receiver: r, routes: [{receiver: s}, {receiver: s}]}\n" + RECEIVERS,
}

REFUSED = {
    "no route": RECEIVERS,
    "a root without a receiver": "route: {}\n" + RECEIVERS,
    "a root that matches": "route: {receiver: r, matchers: [a=b]}\n" + RECEIVERS,
    "a root that matches in the old way": "route: {receiver: r, match: {a: b}}\n" + RECEIVERS,
    "a root that continues": "route: {receiver: r, continue: true}\n" + RECEIVERS,
    "a root that is muted": within("{}").replace("receiver: r", "receiver: r, mute_time_intervals: [t]"),
    "a receiver that is missing": "route: {receiver: x}\n" + RECEIVERS,
    "a receiver that is missing below": "route: {receiver: r, routes: [{routes: [{receiver: x}]}]}\n" + RECEIVERS,
    "two receivers of a name": "route: {receiver: r}\nreceivers: [{name: r}, {name: r}]\n",
    "a receiver without a name": "route: {receiver: r}\nreceivers: [{name: r}, {}]\n",
    "an interval that is missing": "route: {receiver: r, routes: [{active_time_intervals: [t]}]}\n" + RECEIVERS,
    "two intervals of a name": PLAIN + "time_intervals: [{name: t}]\nmute_time_intervals: [{name: t}]\n",
    "an interval without a name": PLAIN + "time_intervals: [{time_intervals: []}]\n",
    "a label twice": "route: {receiver: r, group_by: [a, a]}\n" + RECEIVERS,
    "all labels and one": "route: {receiver: r, group_by: ['...', a]}\n" + RECEIVERS,
    "a label without a name": "route: {receiver: r, group_by: ['']}\n" + RECEIVERS,
    "a group that is never looked at": "route: {receiver: r, group_interval: 0s}\n" + RECEIVERS,
    "a repetition without end": "route: {receiver: r, repeat_interval: 0s}\n" + RECEIVERS,
    "units in another order": "route: {receiver: r, group_wait: 5s1m}\n" + RECEIVERS,
    "a fraction": "route: {receiver: r, group_wait: 1.5h}\n" + RECEIVERS,
    "no unit": "route: {receiver: r, group_wait: 30}\n" + RECEIVERS,
    "an unknown key": "route: {receiver: r, recevier: s}\n" + RECEIVERS,
    "an unknown section": PLAIN + "inhibit: []\n",
    "no matcher": "route: {receiver: r, routes: [{matchers: ['a b']}]}\n" + RECEIVERS,
    "no expression": "route: {receiver: r, routes: [{matchers: ['a=~\"(\"']}]}\n" + RECEIVERS,
    "no expression in the old way": "route: {receiver: r, routes: [{match_re: {a: '('}}]}\n" + RECEIVERS,
    "a label that no old matcher takes": "route: {receiver: r, routes: [{match: {größe: x}}]}\n" + RECEIVERS,
    "no expression of a rule": PLAIN + "inhibit_rules: [{target_match_re: {a: '['}}]\n",
    "an empty label of a rule": PLAIN + "inhibit_rules: [{equal: ['']}]\n",
    "no address at all": told("{max_alerts: 3}"),
    "two addresses": told("{url: 'http://h/', url_file: /h}"),
    "fewer than no alerts": told("{url_file: /h, max_alerts: -1}"),
    "no address": told("{url: h}"),
    "times that end before they start": within("{times: [{start_time: '10:00', end_time: '09:00'}]}"),
    "a time without an end": within("{times: [{start_time: '10:00'}]}"),
    "a time that is none": within("{times: [{start_time: '9:00', end_time: '10:00'}]}"),
    "a day that is none": within("{days_of_month: ['0']}"),
    "a day beyond": within("{days_of_month: ['32']}"),
    "days from the end on": within("{days_of_month: ['-3:5']}"),
    "days that never come": within("{days_of_month: ['20:-20']}"),
    "a week that ends on Sunday": within("{weekdays: ['monday:sunday']}"),
    "a weekday that is none": within("{weekdays: ['funday']}"),
    "a weekday's number": within("{weekdays: ['1']}"),
    "months that end before they start": within("{months: ['may:april']}"),
    "a month that is none": within("{months: ['mai']}"),
    "a range of three": within("{years: ['2020:2021:2022']}"),
    "a zone that is none": within("{location: Europe/Bonn}"),
}  # fmt: skip


def taken(document: str) -> bool:
    try:
        alerting = Alerting.model_validate(yaml.safe_load(document))
    except ValidationError:
        return False
    return not list(alerting.wrong_names(()))


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    documents = TAKEN | REFUSED
    return dict(zip(documents, ask({"config": document} for document in documents.values()), strict=True))


@pytest.mark.parametrize("what", TAKEN)
def test_what_alertmanager_takes_is_taken(what: str, theirs: dict[str, Any]) -> None:
    assert "error" not in theirs[what]
    assert taken(TAKEN[what])


@pytest.mark.parametrize("what", REFUSED)
def test_what_alertmanager_refuses_is_refused(what: str, theirs: dict[str, Any]) -> None:
    assert "error" in theirs[what]
    assert not taken(REFUSED[what])


def test_addresses_are_never_shown() -> None:
    document = yaml.safe_load(PLAIN.replace("http://h/", "https://hooks/hunter2"))
    alerting = Alerting.model_validate(document)
    assert "hunter2" not in f"{alerting!r}{alerting.model_dump_json()}"
    with pytest.raises(ValidationError) as refused:
        Alerting.model_validate(yaml.safe_load(PLAIN.replace("http://h/", "ftp://hooks/hunter2")))
    assert "hunter2" not in "".join(str(error["msg"]) for error in refused.value.errors())


def test_what_alertmanager_does_not_have_is_handed_down_and_not_shown_to_its_clients() -> None:
    below = "routes: [{routes: [{leeway: {late_ends: false}}]}]"
    document = yaml.safe_load(PLAIN.replace("receiver: r", f"receiver: r, leeway: {{late_ends: true}}, {below}"))
    alerting = Alerting.model_validate(document)
    assert [route.options.late_ends for route in alerting.route.build().walk()] == [True, True, False]
    written = yaml.safe_dump(alerting.as_written())
    assert "leeway" not in written
    assert "error" not in ask([{"config": written}])[0]
    with pytest.raises(ValidationError, match="late_end"):
        Alerting.model_validate(yaml.safe_load(PLAIN.replace("receiver: r", "receiver: r, leeway: {late_end: true}")))


def test_the_page_shows_what_a_service_without_alerting_stands_for() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    block = page.partition("### Without `alerting`")[2].partition("```yaml\n")[2].partition("```")[0]
    assert Alerting.model_validate(yaml.safe_load(block)["alerting"]) == alerting_by_alert(["mail"])


def test_a_service_without_receivers_has_a_root_that_notifies_nobody() -> None:
    alerting = alerting_by_alert([])
    assert [route.options.receiver for route in alerting.route.build().matching({"alert_id": "a"})] == ["nobody"]
    assert alerting.receivers[0].entries() == {}
