"""Very many silences and alerts: whether one matches the other is asked once, whoever asks."""

from __future__ import annotations

import pytest

from monitor.routing.inhibition import Rule
from monitor.routing.matchers import Labels, Matcher, parse_matchers
from monitor.routing.overview import Standing, overview
from monitor.routing.routed_alert import RoutedAlert
from monitor.routing.routes import Route, RouteOptions
from monitor.routing.silences import Silence, Silences

FOR_EVER_MS = 10**15
ROOT = Route(RouteOptions("mail"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The matchers that are asked, each time that one is."""
    asked: list[str] = []
    matches = Matcher.matches

    def noted(matcher: Matcher, labels: Labels) -> bool:
        asked.append(str(matcher))
        return matches(matcher, labels)

    monkeypatch.setattr(Matcher, "matches", noted)
    return asked


def silence(name: str, matchers: str) -> Silence:
    return Silence(name, parse_matchers(matchers), 0, FOR_EVER_MS)


def shown(silences: Silences, alerts: list[RoutedAlert], *rules: Rule) -> list[Standing]:
    return list(overview(alerts, ROOT, rules, silences, {}, 5))


def test_alerts_that_are_shown_again_ask_no_silence_and_one_more_silence_is_asked_alone(asked: list[str]) -> None:
    silences = Silences(silence(f"s{number}", f'host=~".*-{number}"') for number in range(50))
    alerts = [RoutedAlert({"host": f"web-{number}"}, 0) for number in range(40)]
    assert [each.silenced_by for each in shown(silences, alerts)] == [(f"s{number}",) for number in range(40)]
    asked.clear()
    assert all(each.silenced_by for each in shown(silences, alerts))
    assert silences.by(alerts[7], 5) is not None
    assert asked == []
    silences.put(silence("new", 'host=~".*-7"'))
    asked.clear()
    assert [each.silenced_by for each in shown(silences, alerts)][7] == ("new", "s7")
    assert set(asked) == {'host=~".*-7"'}
    silences.put(silences.all_by(alerts[7], 5)[0].expired(4))
    asked.clear()
    assert [each.silenced_by for each in shown(silences, alerts)][7] == ("new",)
    assert asked == []


def test_what_is_said_of_an_alert_decides_anew_which_silences_match() -> None:
    silences = Silences([silence("s", "annotation:summary=~.*disk.*")])
    disk, fan = (RoutedAlert({"host": "a"}, 0, annotations={"summary": text}) for text in ("a disk", "a fan"))
    assert [each.silenced_by for alert in (disk, fan, disk) for each in shown(silences, [alert])] == [
        ("s",),
        (),
        ("s",),
    ]


def test_alerts_that_match_both_sides_of_a_rule_are_not_asked_of_each_other(asked: list[str]) -> None:
    critical = parse_matchers("severity=critical")
    rule = Rule(critical, parse_matchers("severity=~critical|warning"))
    alerts = [RoutedAlert({"severity": "critical", "n": str(number)}, 0) for number in range(100)]
    warning = RoutedAlert({"severity": "warning"}, 0)
    standing = shown(Silences(), [*alerts, warning], rule)
    assert [each.inhibited_by for each in standing] == [*[()] * 100, (alerts[0].fingerprint,)]
    assert len(asked) < 10 * len(alerts)


def test_silences_that_are_long_over_are_forgotten_and_the_others_still_count() -> None:
    silences = Silences(Silence(f"s{number}", parse_matchers(f"host=web-{number}"), 0, number) for number in range(10))
    alert = RoutedAlert({"host": "web-9"}, 0)
    assert silences.by(alert, 9) is not None
    silences.forget_over(4)
    silences.forget_over(8)
    silences.put(silence("new", "host=web-9"))
    assert [each.id for each in silences.all_by(alert, 9)] == ["s9", "new"]
    assert [each.id for each in silences.all_by(alert, 10)] == ["new"]
