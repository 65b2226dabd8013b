"""Matchers may name annotations: what is said of an alert, which changes while it fires."""

from __future__ import annotations

from typing import Any

from monitor.config.alerting import Alerting
from monitor.routing.inhibition import Inhibition, Rule
from monitor.routing.matchers import parse_matchers
from monitor.routing.routed_alert import RoutedAlert
from tests.routing.test_decision_log import decided, silenced
from tests.routing.test_router import ROUTES, World, said
from tests.routing.test_subscriptions import ANN, Subscribed
from tests.services.alertmanager import ask

AMOUNT = 'annotation:summary=~".*amount.*"'
BY_SUMMARY: dict[str, Any] = {
    "route": ROUTES["route"] | {"routes": [{"matchers": [AMOUNT], "receiver": "pager", "group_wait": "10s"}]}
}


def test_a_silence_matches_what_is_said_of_an_alert() -> None:
    world = World()
    name = silenced(world, 'model=fraud,annotation:description=~".*country.*"', minutes=60)
    world.happens("a", reason="amount moved by 3\ncountry has a new value")
    world.happens("b", reason="hour moved")
    world.passes(31)
    assert said(world.mail) == [("fraud", ["b"], [])]
    assert decided(world.store)[0][3:] == ("silenced", f"by silence {name}")


def test_a_silence_goes_by_what_is_said_now() -> None:
    world = World()
    silenced(world, AMOUNT, minutes=60)
    world.happens("a", title="amount moved")
    world.passes(31)
    assert said(world.mail) == []
    world.happens("a", "updated", title="hour and 1 more moved")
    world.passes(300)
    assert said(world.mail) == [("fraud", ["a"], [])]


def test_a_route_takes_what_it_matches_and_keeps_it_until_it_is_over() -> None:
    world = World(**BY_SUMMARY)
    world.happens("a", title="amount moved")
    world.happens("b", title="hour moved")
    world.passes(31)
    assert (said(world.pager), said(world.mail)) == ([("fraud", ["a"], [])], [("fraud", ["b"], [])])
    world.happens("a", "updated", title="hour and 1 more moved")
    world.passes(300)
    assert len(world.pager.received) == 1, "it still fires"
    assert said(world.mail)[1:] == [("fraud", ["a", "b"], [])]
    world.happens("a", "resolved", title="hour and 1 more moved")
    world.passes(300)
    assert [(row[1], row[3]) for row in decided(world.store)[-2:]] == [("pager/0", "unwanted"), ("mail/0", "delivered")]
    assert said(world.mail)[2:] == [("fraud", ["b"], ["a"])]


def test_a_restart_forgets_nobody_who_was_told_on_a_route_that_no_longer_matches() -> None:
    world = World(**BY_SUMMARY)
    world.happens("a", title="hour moved")
    world.passes(31)
    world.happens("a", "updated", title="amount moved")
    world.router = world.started()
    world.passes(60)
    assert (len(world.mail.received), said(world.pager)) == (1, [("fraud", ["a"], [])])
    world.happens("a", "resolved", title="amount moved")
    world.router = world.started()
    world.passes(60)
    assert said(world.mail)[1:] == [("fraud", [], ["a"])]


def test_a_subscriber_to_what_is_said_hears_of_the_end_whatever_is_said_then() -> None:
    world = Subscribed()
    world.happens("a", title="amount moved")
    world.passes(60)
    world.wants(AMOUNT, ANN)
    world.passes(31)
    inbox = world.inboxes[ANN]
    assert said(inbox) == [("fraud", ["a"], [])]
    world.happens("a", "updated", title="hour and 1 more moved")
    world.passes(2)
    world.router = world.started()
    world.passes(31)
    world.happens("a", "resolved", title="hour and 1 more moved")
    world.passes(301)
    assert said(inbox)[1:] == [("fraud", [], ["a"])]
    world.happens("b", title="amount moved")
    world.happens("c", title="hour moved")
    world.passes(301)
    assert said(inbox)[2:] == [("fraud", ["b"], [])]


def test_an_alert_inhibits_only_while_what_is_said_of_it_matches() -> None:
    inhibition = Inhibition([Rule(parse_matchers(AMOUNT), parse_matchers("cause=hour"))])
    target, source = (
        RoutedAlert({"cause": "hour"}, 0),
        RoutedAlert({"cause": "amount"}, 0, annotations={"summary": "amount moved"}),
    )
    inhibition.put(source)
    assert inhibition.by(target, 1) == source
    inhibition.put(RoutedAlert({"cause": "amount"}, 0, annotations={"summary": "volume fell"}))
    assert inhibition.by(target, 1) is None


def test_to_alertmanager_it_is_a_label_and_a_label_of_that_name_counts() -> None:
    [theirs] = ask([{"matchers": AMOUNT}])
    assert [(one["name"], one["text"]) for one in theirs["matchers"]] == [("annotation:summary", AMOUNT)]
    [matcher] = parse_matchers(AMOUNT)
    assert str(matcher) == AMOUNT
    alert = RoutedAlert({"annotation:summary": "hour"}, 0, annotations={"summary": "amount moved"})
    assert not matcher.matches(alert.matched)
    [taken] = ask(
        [{"config": f"route: {{receiver: r, routes: [{{matchers: ['{AMOUNT}']}}]}}\nreceivers: [{{name: r}}]"}]
    )
    assert "error" not in taken


def test_no_annotation_becomes_part_of_a_group() -> None:
    route = Alerting.model_validate({"route": {"receiver": "r", "group_by": ["..."]}}).route.build()
    alert = RoutedAlert({"model": "fraud"}, 0, annotations={"summary": "amount moved"})
    assert [one.group_key(alert.labels) for one in route.matching(alert.matched)] == ['{}:{model="fraud"}']
