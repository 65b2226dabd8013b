"""Alerts that have one cause are one incident, and the likeliest cause comes first."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.incidents.causes import causes
from monitor.incidents.incidents import Change, Firing, Incident, Reach, incidents

MINUTE_MS = 60_000
REACH = Reach(together_ms=10 * MINUTE_MS, shared_ms=60 * MINUTE_MS)


def fired(alert_id: str, minute: int, model: str = "", topics: str = "", window: int = 5, **labels: str) -> Firing:
    """An alert that fired at a minute, at the end of a window."""
    name = model or alert_id
    about = {"model": name, "cause": "volume", **labels}
    starts_ms = (minute - window) * MINUTE_MS
    return Firing(name, alert_id, minute * MINUTE_MS, starts_ms, about, frozenset(topics.split()))


def version(model: str, name: str, minute: int) -> Change:
    return Change("version", f"{model}/{name}", model, minute * MINUTE_MS, version=name, models=frozenset({model}))


def deployment(name: str, minute: int, models: str = "", topics: str = "", version: str = "", **labels: str) -> Change:
    whom = {"models": frozenset(models.split()), "topics": frozenset(topics.split()), "labels": labels}
    return Change("deployment", name, name, minute * MINUTE_MS, version=version, **whom)  # type: ignore[arg-type]


def members(found: list[Incident]) -> list[list[str]]:
    return [[firing.alert_id for firing in incident.firings] for incident in found]


def test_alerts_that_fire_together_are_one_incident_and_a_later_one_is_another() -> None:
    found = incidents([fired("b", 10), fired("a", 0), fired("c", 11)], reach=REACH)
    assert members(found) == [["a", "b"], ["c"]]
    assert [incident.id for incident in found] == ["a", "c"]


def test_an_incident_does_not_grow_for_ever() -> None:
    every_nine = [fired(f"a{n:02}", 9 * n, topics="payments") for n in range(20)]
    assert [len(incident.alerts) for incident in incidents(every_nine, reach=REACH)] == [7, 7, 6]


def test_what_shares_a_topic_belongs_to_it_for_longer() -> None:
    late = fired("b", 60, topics="clicks payments")
    found = incidents([fired("a", 0, topics="payments"), late, fired("c", 60, topics="mails")], reach=REACH)
    assert members(found) == [["a", "b"], ["c"]]
    assert found[0].alerts[1].because == "reads payments too"
    assert members(incidents([fired("a", 0, topics="payments"), fired("b", 61, topics="payments")], reach=REACH)) == [
        ["a"],
        ["b"],
    ]


def test_a_change_joins_what_it_affects_and_nothing_that_was_judged_before_it() -> None:
    rollout = deployment("features-1.4", 20, models="fraud", team="ads")
    alerts = [fired("fraud", 25), fired("clicks", 50, team="ads"), fired("churn", 50), fired("old", 5, team="ads")]
    found = incidents(alerts, [rollout], REACH)
    assert members(found) == [["old"], ["fraud", "clicks"], ["churn"]]
    assert found[1].alerts[1].because == "came after deployment features-1.4 too"
    assert members(incidents([fired("fraud", 25), fired("ads", 50, team="ads", window=1)], [], REACH)) == [
        ["fraud"],
        ["ads"],
    ]


def test_of_several_incidents_the_one_with_most_in_common_takes_an_alert() -> None:
    alerts = [fired("a", 0, topics="payments"), fired("b", 30, topics="mails"), fired("c", 35, topics="payments")]
    assert members(incidents(alerts, reach=REACH)) == [["a", "c"], ["b"]]
    rollout = deployment("mailer", 29, models="b c")
    assert members(incidents(alerts, [rollout], REACH)) == [["a"], ["b", "c"]]


def test_a_new_version_explains_the_alerts_of_its_model() -> None:
    alerts = [fired("x", 30, model="fraud"), fired("y", 30, model="fraud"), fired("z", 35, model="churn")]
    [found] = incidents(alerts, [version("fraud", "v2", 28), version("churn", "v9", 36)], REACH)
    said = causes(found, {}, REACH)
    assert [(cause.kind, cause.alerts) for cause in said] == [
        ("version", ("x", "y")),
        ("together", ("x", "y", "z")),
    ]
    assert said[0].reason == (
        "version v2 of fraud was first seen at 1970-01-01 00:28 UTC, 2 min before the first alert: 2 of 3 alerts"
    )
    assert said[1].reason == "they fired within 5 min, volume of fraud first: 3 of 3 alerts"


def test_the_change_that_is_closest_and_explains_most_is_the_likeliest_cause() -> None:
    alerts = [fired("fraud", 60), fired("churn", 61)]
    changes = [
        deployment("long-ago", 0, models="fraud churn"),
        deployment("just-one", 57, models="fraud"),
        deployment("both", 54, models="fraud churn"),
    ]
    [found] = incidents(alerts, changes, REACH)
    names = [cause.name for cause in causes(found, {}, REACH)]
    assert names == ["both", "long-ago", "just-one", "fraud"]


def test_of_many_causes_the_ten_likeliest_are_listed() -> None:
    [found] = incidents([fired("fraud", 60)], [deployment(f"d{n}", n, models="fraud") for n in range(50)], REACH)
    assert [cause.name for cause in causes(found, {}, REACH)] == [f"d{n}" for n in reversed(range(40, 50))]


def test_a_new_version_that_was_announced_is_one_cause() -> None:
    changes = [deployment("fraud-rollout", 27, models="fraud", version="v2"), version("fraud", "v2", 28)]
    [found] = incidents([fired("fraud", 30)], changes, REACH)
    assert [(cause.kind, cause.name) for cause in causes(found, {}, REACH)] == [("deployment", "fraud-rollout")]
    [found] = incidents([fired("fraud", 30)], [*changes, version("fraud", "v3", 29)], REACH)
    assert [cause.kind for cause in causes(found, {}, REACH)] == ["deployment", "version"]


def test_a_young_version_explains_its_own_alerts_for_longer_since_it_is_judged_late() -> None:
    changes = [version("fraud", "v2", 10), version("fraud", "v3", 150), deployment("old", 9, models="fraud")]
    [own] = incidents([fired("fraud", 200, version="v2")], changes, REACH)
    assert [(cause.name, cause.reason.split(" was ")[0], cause.score) for cause in causes(own, {}, REACH)] == [
        ("fraud", "version v3 of fraud", 0.5625),
        ("fraud", "version v2 of fraud", 0.45),
    ]
    [later] = incidents([fired("fraud", 25 * 60, version="v2")], changes, REACH)
    assert causes(later, {}, REACH) == []


def test_a_topic_is_the_likelier_the_more_of_its_models_have_alerts() -> None:
    [found] = incidents([fired("a", 0, topics="payments all"), fired("b", 1, topics="payments all")], reach=REACH)
    said = causes(found, {"payments": 2, "all": 40}, REACH)
    assert [(cause.name, cause.score) for cause in said] == [("payments", 0.6), ("a", 0.1), ("all", 0.03)]
    assert said[0].reason == "2 of the 2 models that read payments have alerts: 2 of 2 alerts"


def test_of_alerts_that_fired_at_the_same_time_none_is_the_cause() -> None:
    [found] = incidents([fired("x", 0), fired("y", 0)], reach=REACH)
    assert causes(found, {}, REACH) == []


def test_one_model_shares_a_topic_with_nobody() -> None:
    [found] = incidents([fired("x", 0, "fraud", "payments"), fired("y", 1, "fraud", "payments")], reach=REACH)
    assert [cause.kind for cause in causes(found, {"payments": 1}, REACH)] == ["together"]


def test_messages_that_were_lost_explain_alerts_of_their_topic() -> None:
    lost = Firing("_leeway", "gap", 0, 0, {"topic": "payments"}, frozenset({"payments"}), lost="payments")
    [found] = incidents([lost, fired("fraud", 4, topics="payments"), fired("churn", 4)], reach=REACH)
    first = causes(found, {"payments": 1}, REACH)[0]
    assert (first.kind, first.alerts) == ("messages_lost", ("gap", "fraud"))
    assert first.reason == "messages of payments were lost: 2 of 3 alerts"


def test_an_alert_that_becomes_known_late_is_as_if_it_had_been_known_at_once() -> None:
    alerts = [fired("b", 5), fired("c", 12)]
    assert members(incidents(alerts, reach=REACH)) == [["b", "c"]]
    assert members(incidents([*alerts, fired("a", 0)], reach=REACH)) == [["a", "b"], ["c"]]


ALERTS = st.lists(
    st.builds(
        lambda n, minute, model, topics, window: (n, minute, model, topics, window),
        st.integers(0, 99),
        st.integers(0, 200),
        st.sampled_from("mnop"),
        st.sampled_from(["", "t", "u", "t u"]),
        st.sampled_from([1, 5, 60]),
    ),
    max_size=12,
    unique_by=lambda alert: alert[0],
)
CHANGES = st.lists(
    st.builds(
        lambda minute, model, topic, n: deployment(f"d{n}", minute, model, topic),
        st.integers(0, 200),
        st.sampled_from(["m", "n", "m n"]),
        st.sampled_from(["", "t"]),
        st.integers(0, 99),
    ),
    max_size=3,
    unique_by=lambda change: change.id,
)


@given(ALERTS, CHANGES, st.randoms())
def test_the_order_in_which_things_become_known_does_not_show(
    given_: list[tuple[int, int, str, str, int]], changes: list[Change], shuffled: object
) -> None:
    alerts = [fired(f"a{n}", minute, model, topics, window) for n, minute, model, topics, window in given_]
    expected = [(found.id, found.alerts, causes(found, {}, REACH)) for found in incidents(alerts, changes, REACH)]
    shuffled.shuffle(alerts)  # type: ignore[attr-defined]
    shuffled.shuffle(changes)  # type: ignore[attr-defined]
    again = [(found.id, found.alerts, causes(found, {}, REACH)) for found in incidents(alerts, changes, REACH)]
    assert again == expected


@given(ALERTS, CHANGES)
def test_every_alert_is_in_one_incident_that_it_is_near(
    given_: list[tuple[int, int, str, str, int]], changes: list[Change]
) -> None:
    alerts = [fired(f"a{n}", minute, model, topics, window) for n, minute, model, topics, window in given_]
    found = incidents(alerts, changes, REACH)
    assert sorted(name for ids in members(found) for name in ids) == sorted(alert.alert_id for alert in alerts)
    for incident in found:
        assert incident.id == incident.firings[0].alert_id
        assert all(0 <= one.fired_ms - incident.began_ms <= REACH.shared_ms for one in incident.firings)
        assert all(0 <= cause.score <= 1 for cause in causes(incident, {}, REACH))


@given(ALERTS, CHANGES, st.integers(0, 200))
def test_what_fires_later_does_not_change_what_was_an_incident_before(
    given_: list[tuple[int, int, str, str, int]], changes: list[Change], upto: int
) -> None:
    alerts = [fired(f"a{n}", minute, model, topics, window) for n, minute, model, topics, window in given_]
    first = [alert for alert in alerts if alert.fired_ms <= upto * MINUTE_MS]
    then = {one.alert_id: incident.id for incident in incidents(alerts, changes, REACH) for one in incident.firings}
    for incident in incidents(first, changes, REACH):
        assert {then[one.alert_id] for one in incident.firings} == {incident.id}


@pytest.mark.parametrize("seed", range(5))
def test_posted_alerts_explain_what_they_are_about_however_many_they_are(seed: int) -> None:
    rng = random.Random(seed)
    firings = [
        Firing(
            f"m{rng.randrange(4)}",
            f"a{number}",
            fired_ms=rng.randrange(60) * 1_000,
            starts_ms=0,
            labels={"alertname": f"n{rng.randrange(30)}"},
            topics=frozenset(rng.sample(["clicks", "payments", "mails"], rng.randrange(3))),
            elsewhere=rng.random() < 0.7,
        )
        for number in range(60)
    ]
    [incident] = incidents(firings)
    # The slow, obvious way: each posted alert beside each of Leeway's own.
    about = {
        posted.alert_id: [
            own
            for own in incident.firings
            if not own.elsewhere
            and own.fired_ms >= posted.fired_ms
            and (own.model == posted.model or own.topics & posted.topics)
        ]
        for posted in incident.firings
        if posted.elsewhere
    }
    explained = [cause.alerts for cause in causes(incident, {}, Reach()) if cause.kind == "alert"]
    most = sorted((len(own) for own in about.values() if own), reverse=True)
    assert explained, "else this shows nothing"
    assert all(alerts[1:] == tuple(own.alert_id for own in about[alerts[0]]) for alerts in explained)
    assert [len(alerts) - 1 for alerts in explained] == most[: len(explained)]
