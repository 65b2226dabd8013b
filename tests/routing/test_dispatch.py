"""Groups of alerts in time, held against Alertmanager's own dispatcher: who is told what, and when."""

from __future__ import annotations

import json
import random
from typing import Any

from monitor.config.alerting import Alerting
from monitor.delivery.target import Target
from monitor.routing.dispatch import Dispatcher
from monitor.routing.inhibition import Rule
from monitor.routing.matchers import parse_matchers
from monitor.routing.plan import Plan
from monitor.routing.recipients import Recipients
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.silences import Silence
from tests.routing.alertmanager import scripted
from tests.services.alertmanager import ask

SCRIPTS = 150


class Player:
    """Plays a script."""

    def __init__(self, alerting: Alerting, script: dict[str, Any]) -> None:
        targets = {
            receiver.name: [
                Target(receiver.name, n, hook.send_resolved) for n, hook in enumerate(receiver.webhook_configs)
            ]
            for receiver in alerting.receivers
        }
        rules = [Rule(rule.source, rule.target, rule.equal) for rule in alerting.inhibit_rules]
        self.silences: dict[str, Silence] = {}
        plan = Plan(alerting.route.build(), {}, rules, alerting.intervals)
        self.dispatcher = Dispatcher(plan, Recipients(targets, {}), script["start_ms"])
        self.known = self.dispatcher.silences
        self.script = script
        self.sent: list[dict[str, Any]] = []

    def play(self) -> list[dict[str, Any]]:
        for event in self.script["events"]:
            self.wait(event["at_ms"])
            self.happen(event, event["at_ms"])
            self.look(event["at_ms"])
        self.wait(self.script["until_ms"])
        return self.sent

    def wait(self, until_ms: int) -> None:
        while (due_ms := self.dispatcher.due_ms()) is not None and due_ms < until_ms:
            self.look(due_ms)

    def happen(self, event: dict[str, Any], now_ms: int) -> None:
        if event["kind"] == "alert":
            alert = RoutedAlert(event["labels"], event["starts_ms"], event["ends_ms"], updated_ms=now_ms)
            self.dispatcher.put([alert], now_ms)
        elif event["kind"] == "silence":
            name = event["name"]
            made = Silence(name, parse_matchers(event["matchers"]), event["starts_ms"], event["ends_ms"])
            self.silences[name] = made
            self.known.put(made)
        else:
            self.known.put(self.silences[event["name"]].expired(now_ms))

    def look(self, now_ms: int) -> None:
        for flush in self.dispatcher.due(now_ms):
            for target, alerts in flush.targets.items():
                fails = any(
                    outage["receiver"] == target.receiver and outage["from_ms"] <= now_ms < outage["to_ms"]
                    for outage in self.script["fails"]
                )
                if alerts and not fails:
                    self.note(target, alerts, flush.group.key, now_ms)
                self.dispatcher.settle(flush, target, now_ms, delivered=not (alerts and fails))

    def note(self, target: Target, alerts: tuple[RoutedAlert, ...], key: str, now_ms: int) -> None:
        over = sorted(alert.fingerprint for alert in alerts if alert.is_over(now_ms))
        firing = sorted(alert.fingerprint for alert in alerts if not alert.is_over(now_ms))
        said = {"at_ms": now_ms, "receiver": target.receiver, "group_key": key, "firing": firing, "resolved": over}
        self.sent.append({**said, "status": "firing" if firing else "resolved"})


def in_order(sent: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in sent)


def test_random_scripts_are_told_as_by_alertmanager() -> None:
    made = [scripted(random.Random(f"scripts/{number}")) for number in range(SCRIPTS)]
    theirs = ask({"config": json.dumps(document), "script": script} for document, script in made)
    told = 0
    for (document, script), said in zip(made, theirs, strict=True):
        expected = in_order(said.get("sent", []))
        assert "error" not in said
        assert in_order(Player(Alerting.model_validate(document), script).play()) == expected, (document, script)
        told += len(expected)
    assert told > 10 * SCRIPTS
