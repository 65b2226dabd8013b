"""`leeway alerts`: listed by what they are labelled with and who has taken them on, shown, and followed."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.api.test_alertmanager import world
from tests.api.test_alerts import served
from tests.api.world import Client, World, serving, step
from tests.cli.console import Console


def test_alerts_are_listed_by_matchers_and_by_who_has_taken_them_on(leeway: Console) -> None:
    with serving(world()) as url:
        leeway("ack", "v", "--by", "ann", "--url", url)

        def listed(*options: str) -> list[tuple[str, str | None]]:
            said = leeway("alerts", *options, "--json", "--url", url)
            assert said.code == 0, said.err
            return sorted((row["alert_id"], row["acknowledged_by"]) for row in said.lines)

        assert listed("--acknowledged") == [("v", "ann")]
        assert listed("--unacknowledged", "--state", "firing") == [("a", None), ("c", None)]
        assert listed("--matcher", 'model="fraud", severity=~"crit.*"') == [("v", "ann")]
        assert listed("--matcher", "model=churn", "--matcher", "alert_id!=old") == [("c", None), ("old", None)]
        assert "ann" in leeway("alerts", "--matcher", "alert_id=v", "--url", url).out
        wrong = leeway("alerts", "--matcher", "severity", "--url", url)
        assert (wrong.code, wrong.out) == (2, "")
        assert leeway("alerts", "--summary", "--acknowledged", "--url", url).code == 2


def test_what_changed_since_it_was_taken_on_is_not_taken_on() -> None:
    made = world()
    client = Client(made)
    client.post("/v1/alerts/v/ack", b'{"created_by": "ann", "comment": "known"}', content_type="application/json")
    firing = {row["labels"]["alert_id"]: row for row in client.get("/api/v2/alerts").json()}
    assert firing["v"]["annotations"]["acknowledged"] == "by ann at 2023-11-14T22:13:20.000Z: known"
    assert "acknowledged" not in firing["a"]["annotations"]
    labels = json.dumps({"alert_id": "v", "model": "fraud", "cause": "volume", "severity": "critical"})
    made.add("alerts", [step("v", 1, "updated", 6_000, labels=labels, signals="[]")])
    assert client.items("/v1/alerts", acknowledged="true") == []
    firing = {row["labels"]["alert_id"]: row for row in client.get("/api/v2/alerts").json()}
    assert "acknowledged" not in firing["v"]["annotations"]
    assert client.get("/v1/alerts/v").json()["alert"]["acknowledged_by"] is None


@pytest.mark.parametrize("name", ["signal", "matcher", "acknowledged"])
def test_what_chooses_standing_alerts_does_not_go_with_the_log(name: str) -> None:
    answer = Client(World()).get("/v1/alerts", transitions="true", **{name: "true=1" if name == "matcher" else "true"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == name


def test_an_alert_is_shown_from_its_beginning(leeway: Console) -> None:
    made = World()
    moved = [
        {"signal": "feature:amount", "detector": "psi", "effect": 1.5, "min_effect": 0.1, "reason": "amount moved"}
    ]
    made.add("alerts", [step("a", 0, "firing", 2_000, signals=json.dumps(moved)), step("a", 1, "resolved", 9_000)])
    told = {"alert_id": "a", "receiver": "mail/0", "outcome": "refused", "reason": "404", "attempts": 1, "at_ms": 3_000}
    made.add("notifications", [told])
    with serving(made) as url:
        said = leeway("alerts", "show", "a", "--url", url)
        assert said.code == 0, said.err
        lines = said.out.splitlines()
        assert lines[:3] == [
            "a: warning, resolved, since 1970-01-01T00:00:01Z until 1970-01-01T00:00:09Z",
            "a moved",
            "model=fraud",
        ]
        assert "resolved" in said.out
        assert "404" in said.out
        document = json.loads(leeway("alerts", "show", "a", "--json", "--url", url).out)
        assert [one["state"] for one in document["transitions"]] == ["firing", "resolved"]
        unknown = leeway("alerts", "show", "nothing", "--url", url)
        assert (unknown.code, unknown.err) == (2, "error: no alert has the id 'nothing'\n")


def test_what_happens_is_followed_and_the_next_call_goes_on_where_the_last_one_ended(
    leeway: Console, tmp_path: Path
) -> None:
    made, place = World(), tmp_path / "place"
    made.add("alerts", [step("old", 0, "firing", 1_000)])
    with served(made) as url:
        follow = ("alerts", "follow", "severity=critical", "--resume", place, "--limit", 1, "--url", url)

        def happens() -> None:
            while not place.exists():
                threading.Event().wait(0.01)
            for name, severity in (("a", "info"), ("b", "critical"), ("c", "critical")):
                labels = json.dumps({"severity": severity})
                made.add("alerts", [step(name, 0, "firing", 2_000, severity=severity, labels=labels)])

        writer = threading.Thread(target=happens)
        writer.start()
        said = leeway(*follow)
        writer.join()
        assert said.out == "1970-01-01T00:00:02Z  firing  critical  fraud  b  b moved\n"
        again = leeway(*follow, "--json")
        assert [row["alert_id"] for row in again.lines] == ["c"]
    gone = leeway("alerts", "follow", "--url", url)
    assert (gone.code, "cannot be reached" in gone.err) == (3, True)


def test_an_alert_of_which_a_part_is_accepted_says_which_and_by_whom(leeway: Console) -> None:
    made = World()
    moved = [
        {"signal": "feature:amount", "segment": segment, "version": "v1", "since_ms": 1_000, "last_ms": 2_000}
        for segment in ("", "country=DE")
    ]
    made.add("alerts", [step("a", 0, "firing", 2_000, signals=json.dumps(moved))])
    mark = {"model": "fraud", "id": "m", "signal": "feature:amount", "segment": "country=DE", "says": "accepted"}
    said = {"from_ms": 1_000, "created_by": "ann", "reason": "prices rose", "effective_ms": 0}
    with serving(made) as url:
        assert "new normal" not in leeway("alerts", "show", "a", "--url", url).out
        made.add("marks", [mark | said])
        shown = leeway("alerts", "show", "a", "--url", url).out
        assert "new normal of" in shown
        [row] = [line for line in shown.splitlines() if "prices rose" in line]
        assert row.split()[:4] == ["feature:amount", "country=DE", "v1", "ann"]
        [level] = json.loads(leeway("alerts", "show", "a", "--json", "--url", url).out)["accepted"]
        made.add("marks", [mark | said | {"effective_ms": 1_500}])
        [again] = json.loads(leeway("alerts", "show", "a", "--json", "--url", url).out)["accepted"]
    assert (level["created_by"], level["state"], level["effective_ms"]) == ("ann", "holds", None)
    assert again["state"] == "alarmed again"
