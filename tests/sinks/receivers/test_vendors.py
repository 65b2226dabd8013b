"""Slack, Teams, PagerDuty and Opsgenie, each by a server that checks what it is sent as its vendor documents it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sinks.receivers import build, read_parameters
from sinks.receivers.contract import Alert, Delivered, LinkedPicture, Outcome, Picture, Refused, Retry
from tests.sinks.receivers.listener import Answer, Listener
from tests.sinks.receivers.notifications import LABELS, group, notification, receiver_of

SLACK = {
    "type": "object",
    "required": ["text", "attachments"],
    "properties": {
        "text": {"type": "string", "minLength": 1},
        "channel": {"type": "string"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["fallback", "text"],
                "anyOf": [{"required": ["color", "title", "ts"]}, {"required": ["image_url"]}],
                "properties": {
                    "color": {"pattern": "^#[0-9a-f]{6}$"},
                    "title_link": {"type": "string", "pattern": "^https?://"},
                    "ts": {"type": "integer"},
                },
            },
        },
    },
    "additionalProperties": False,
}
TEAMS = {
    "type": "object",
    "required": ["type", "attachments"],
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "required": ["contentType", "content"],
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "content": {
                        "required": ["type", "version", "body"],
                        "properties": {
                            "type": {"const": "AdaptiveCard"},
                            "version": {"const": "1.4"},
                            "body": {"type": "array", "minItems": 1, "items": {"required": ["type"]}},
                            "actions": {"items": {"required": ["type", "title", "url"]}},
                        },
                    },
                },
            },
        },
    },
}
KEY = {"type": "string", "minLength": 1, "maxLength": 255}
PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action", "dedup_key"],
    "properties": {
        "routing_key": {"const": "s3cret-key"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": KEY,
        "client": {"type": "string"},
        "client_url": {"type": "string"},
        "links": {"items": {"required": ["href"]}},
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
                "custom_details": {"type": "object"},
                **{name: {"type": "string"} for name in ("component", "group", "class")},
            },
            "additionalProperties": False,
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "additionalProperties": False,
}
OPSGENIE = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "minLength": 1, "maxLength": 130},
        "alias": {"type": "string", "maxLength": 512},
        "description": {"type": "string", "maxLength": 15_000},
        "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
        "tags": {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 50}},
        "details": {"type": "object", "additionalProperties": {"type": "string"}},
        "responders": {"items": {"required": ["type"]}},
        "entity": {"type": "string", "maxLength": 512},
        "source": {"type": "string", "maxLength": 100},
    },
    "additionalProperties": False,
}
SCHEMAS = {"slack": SLACK, "teams": TEAMS, "pagerduty": PAGERDUTY, "opsgenie": OPSGENIE}
SECRETS: dict[str, dict[str, Any]] = {
    "pagerduty": {"routing_key": "s3cret-key"},
    "opsgenie": {"api_key": "s3cret-key", "teams": ["ml"]},
}
ENORMOUS = Alert("firing", LABELS | {"severity": "critical"}, {"summary": "é" * 5000, "description": "<&>" * 9000}, 0)

every_vendor = pytest.mark.parametrize("kind", sorted(SCHEMAS))


@pytest.fixture
def server() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def send(kind: str, server: Listener, *sent: Any, **options: Any) -> list[Outcome]:
    config: dict[str, Any] = {"kind": kind, "name": kind, "url": server.url(""), "allow_private": True}
    receiver = receiver_of(config | SECRETS.get(kind, {}) | options)
    outcomes = [receiver.send(each) for each in sent or [notification()]]
    receiver.close()
    return outcomes


@every_vendor
def test_what_is_sent_is_what_the_vendor_documents(kind: str, server: Listener) -> None:
    sent = [notification(), notification("resolved"), group((ENORMOUS,)), group((Alert("firing", {}, {}, 0),))]
    assert send(kind, server, *sent) == [Delivered()] * 4
    for request in server.requests:
        Draft202012Validator(SCHEMAS[kind]).validate(request.body)


@pytest.mark.parametrize("kind", ["slack", "teams"])
@pytest.mark.parametrize("alerts", [notification().alerts, ()])
def test_a_summary_has_its_own_words_also_if_there_is_nothing(
    kind: str, alerts: tuple[Alert, ...], server: Listener
) -> None:
    said = replace(group(alerts), title="daily: 1 began", text="- flights", at_ms=1_795_537_682_151)
    assert send(kind, server, said, title="{{ status }}", text="{{ status }}") == [Delivered()]
    [request] = server.requests
    Draft202012Validator(SCHEMAS[kind]).validate(request.body)
    assert "daily: 1 began" in json.dumps(request.body)
    assert "- flights" in json.dumps(request.body)


@every_vendor
def test_a_template_of_ones_own_is_used(kind: str, server: Listener) -> None:
    send(kind, server, title="{{ common_labels.model }} is {{ status }}")
    assert "flights is firing" in json.dumps(server.requests[0].body)


@every_vendor
@pytest.mark.parametrize(("status", "kind_of_outcome"), [(429, Retry), (503, Retry), (400, Refused), (401, Refused)])
def test_answers_mean_what_they_mean_for_webhooks(kind: str, status: int, kind_of_outcome: type[Outcome]) -> None:
    with Listener(Answer(status, {"Retry-After": "7"}, text="s3cret-key is bad")) as server:
        (outcome,) = send(kind, server)
    assert isinstance(outcome, kind_of_outcome)
    assert getattr(outcome, "after_s", None) == (7.0 if kind_of_outcome is Retry else None)
    if kind in SECRETS:
        assert "s3cret" not in str(outcome)


def test_pagerduty_has_one_key_from_beginning_to_end(server: Listener) -> None:
    send("pagerduty", server, notification(), notification(severity="critical"), notification("resolved"))
    bodies = [request.body for request in server.requests]
    assert [body["event_action"] for body in bodies] == ["trigger", "trigger", "resolve"]
    assert [body["payload"]["severity"] for body in bodies[:2]] == ["warning", "critical"]
    assert len({body["dedup_key"] for body in bodies}) == 1


@pytest.mark.parametrize("kind", sorted(SECRETS))
def test_what_is_over_resolves_nothing_while_others_of_its_group_fire(kind: str, server: Listener) -> None:
    send(kind, server, replace(notification("resolved"), unchanged=2))
    [request] = server.requests
    Draft202012Validator(SCHEMAS[kind]).validate(request.body)
    assert request.path == "/v2/alerts" if kind == "opsgenie" else request.body["event_action"] == "trigger"


def test_a_severity_that_rises_resolves_nothing(server: Listener) -> None:
    former = notification("resolved").alerts[0]
    send("pagerduty", server, group((notification(severity="critical").alerts[0], former)))
    assert server.requests[0].body["event_action"] == "trigger"


def test_opsgenie_closes_the_alert_that_it_opened(server: Listener) -> None:
    send("opsgenie", server, notification(), notification("resolved"))
    opened, closed = server.requests
    assert opened.path == "/v2/alerts"
    assert closed.path == f"/v2/alerts/{opened.body['alias']}/close?identifierType=alias"
    assert opened.headers["authorization"] == closed.headers["authorization"] == "GenieKey s3cret-key"
    assert opened.body["responders"] == [{"name": "ml", "type": "team"}]


def test_slack_is_written_to_as_an_app_with_a_token() -> None:
    answers = [
        (Answer(text='{"ok":true,"ts":"1.2"}'), Delivered()),
        (Answer(text='{"ok":false,"error":"ratelimited"}'), Retry("slack.com: ratelimited")),
        (Answer(text='{"ok":false,"error":"channel_not_found"}'), Refused("slack.com: channel_not_found")),
        (Answer(text='{"ok":true,"message":{"text":"' + "x" * 5000 + '"}}'), Delivered()),
        (Answer(text="<html>"), Retry("slack.com: Expecting value: line 1 column 1 (char 0)")),
        (Answer(text="[]"), Retry("slack.com: the answer does not say `ok`")),
    ]
    with Listener(*(answer for answer, _ in answers)) as server:
        outcomes = send("slack", server, *[notification()] * len(answers), token="xoxb-s3cret", channel="#ml")
    assert outcomes == [expected for _, expected in answers]
    assert server.requests[0].headers["authorization"] == "Bearer xoxb-s3cret"
    assert server.requests[0].body["channel"] == "#ml"


def test_an_answer_that_cannot_be_unpacked_is_none() -> None:
    with Listener(Answer(headers={"Content-Encoding": "gzip"}, text='{"ok":true}')) as server:
        config = {"kind": "slack", "name": "slack", "url": server.url(), "token": "xoxb-1", "channel": "#ml"}
        receiver = build(read_parameters(config | {"allow_private": True}))
        outcome = receiver.send(notification())
        receiver.close()
        assert outcome == Retry(f"http://{server.address}: DecodingError", may_have_it=True)


def test_slack_is_not_fooled_by_what_looks_like_its_marks(server: Listener) -> None:
    send("slack", server, group((Alert("firing", {}, {"summary": "a <!channel> & b"}, 0),)))
    assert server.requests[0].body["text"] == "ALERT: a &lt;!channel&gt; &amp; b"


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_pictures_are_shown_by_links_where_they_are_asked_for(kind: str, server: Listener) -> None:
    pictures = [LinkedPicture("a <b> & c " * 60, f"https://leeway.example/pictures/{n}" + "x" * 400) for n in range(3)]
    config = {"kind": kind, "name": kind, "url": server.url(""), "allow_private": True}
    for is_shown in (True, False):
        receiver = build(read_parameters(config | {"pictures": is_shown}), link=lambda _: pictures)
        assert receiver.send(group((ENORMOUS,))) == Delivered()
        receiver.close()

    pictured, plain = (request.body for request in server.requests)
    Draft202012Validator(SCHEMAS[kind]).validate(pictured)
    assert [url for url in strings(pictured) if "/pictures/" in url] == [picture.url for picture in pictures]
    assert not [url for url in strings(plain) if "/pictures/" in url]
    assert len(json.dumps(pictured)) <= 28_000


PNGS = [Picture(f"chart {n} of größe", bytes([n]) * 3_000) for n in range(7)]


@pytest.mark.parametrize(("alerts", "shown"), [(notification().alerts, 6), ((ENORMOUS,), 1)])
def test_teams_has_pictures_in_the_card_as_far_as_there_is_room(
    alerts: tuple[Alert, ...], shown: int, server: Listener
) -> None:
    config = {"kind": "teams", "name": "teams", "url": server.url(""), "allow_private": True}
    alerts = (replace(alerts[0], generator_url="http://leeway.example/alerts/1"),)
    for pictures in ("upload", False):
        receiver = build(read_parameters(config | {"pictures": pictures}), draw=lambda _: PNGS)
        assert receiver.send(group(alerts)) == Delivered()
        receiver.close()

    pictured, plain = (request.body for request in server.requests)
    Draft202012Validator(SCHEMAS["teams"]).validate(pictured)
    assert len(json.dumps(pictured)) <= 28_000
    blocks, usual = (body["attachments"][0]["content"]["body"] for body in (pictured, plain))
    assert blocks[: len(usual)] == usual
    images = blocks[len(usual) : -1]
    assert [base64.b64decode(each["url"].removeprefix("data:image/png;base64,")) for each in images] == [
        picture.png for picture in PNGS[:shown]
    ]
    assert [each["altText"] for each in images] == [picture.caption for picture in PNGS[:shown]]
    assert blocks[-1]["text"] == "Not all charts have room here: http://leeway.example/alerts/1"


def test_teams_says_nothing_of_room_where_all_pictures_have_it(server: Listener) -> None:
    config = {"kind": "teams", "name": "teams", "url": server.url(""), "allow_private": True, "pictures": "upload"}
    receiver = build(read_parameters(config), draw=lambda _: PNGS[:2])
    assert receiver.send(notification()) == Delivered()
    receiver.close()
    blocks = server.requests[0].body["attachments"][0]["content"]["body"]
    assert [block["type"] for block in blocks[-2:]] == ["Image"] * 2
    assert "room" not in json.dumps(blocks)


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (Answer(), Delivered("without its pictures: http://ADDRESS: 413 Request Entity Too Large")),
        (Answer(401), Refused("http://ADDRESS: 401 Unauthorized")),
    ],
)
def test_what_teams_refuses_with_pictures_comes_without(second: Answer, outcome: Outcome) -> None:
    with Listener(Answer(413), second) as server:
        config = {"kind": "teams", "name": "teams", "url": server.url(""), "allow_private": True, "pictures": "upload"}
        receiver = build(read_parameters(config), draw=lambda _: PNGS[:2])
        assert receiver.send(notification()) == replace(
            outcome, reason=outcome.reason.replace("ADDRESS", server.address)
        )
        receiver.close()
        bodies = [json.dumps(request.body) for request in server.requests]
    assert ["data:image/png" in body for body in bodies] == [True, False]


def strings(document: Any) -> list[str]:
    """All texts of a document."""
    if isinstance(document, dict | list):
        return [
            text for value in (document.values() if isinstance(document, dict) else document) for text in strings(value)
        ]
    return [document] if isinstance(document, str) else []


@every_vendor
def test_what_is_too_long_is_cut_between_words_and_says_so(kind: str, server: Listener) -> None:
    """As the vendor counts it: `&` has five characters to Slack, and `ü` six bytes in JSON."""
    words = "größer & größer "
    description = "\n".join([words * 20] * 2_000)
    long = Alert("firing", {"severity": "critical"}, {"summary": words * 200, "description": description}, 0)
    assert send(kind, server, group((long,))) == [Delivered()]
    body = server.requests[0].body
    most = {"teams": 28_000, "pagerduty": 512_000, "slack": 3_000, "opsgenie": 15_000}[kind]
    in_bytes = kind in ("teams", "pagerduty")
    assert most / 2 < (len(json.dumps(body)) if in_bytes else max(map(len, strings(body)))) <= most
    cut = [text for text in strings(body) if text.endswith(" …")]
    assert len(cut) >= 2
    assert {text.split()[-2] for text in cut} <= {"größer", "&", "&amp;"}


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_the_link_is_of_the_alert_that_the_title_is_about(kind: str, server: Listener) -> None:
    mild = Alert("firing", {"severity": "info"}, {}, 0, generator_url="http://leeway.example/alerts/mild")
    grave = Alert("firing", {"severity": "critical"}, {}, 0, generator_url="http://leeway.example/alerts/grave")
    send(kind, server, group((mild, grave)))
    links = [text for text in strings(server.requests[0].body) if text.startswith("http://leeway.example/alerts/")]
    assert links[-1] == "http://leeway.example/alerts/grave"


PAGE = "\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>"


@pytest.mark.parametrize("kind", [*sorted(SCHEMAS), "alertmanager"])
def test_a_page_that_something_in_between_answers_with_is_no_delivery(kind: str) -> None:
    with Listener(Answer(text=PAGE), Answer(200, text=PAGE), Answer(204)) as server:
        outcomes = send(kind, server, notification(), notification("resolved"), notification())
    lost = Retry(f"http://{server.address}: a web page (Sign in) was the answer, which is not the service's own")
    assert outcomes == [lost, lost, Delivered()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ok", Delivered()),
        ("", Delivered()),
        ('{"success": true}', Delivered()),
        ('{"ok": false, "error": "channel_not_found"}', Refused("slack.com: channel_not_found")),
        ('{"ok": false, "error": "ratelimited"}', Retry("slack.com: ratelimited")),
        ("no_service\x1b[31m", Refused("slack.com: no_service\N{REPLACEMENT CHARACTER}[31m")),
    ],
)
def test_an_incoming_webhook_has_taken_what_it_says_ok_to(text: str, expected: Outcome) -> None:
    with Listener(Answer(text=text)) as server:
        assert send("slack", server) == [expected]


def test_opsgenie_gets_as_much_of_labels_as_it_takes(server: Listener) -> None:
    labels = LABELS | {"model": "m" * 600, "rows": "r" * 5_000, "tables": "t" * 5_000}
    send("opsgenie", server, group((Alert("firing", labels, {}, 0),)))
    body = server.requests[0].body
    Draft202012Validator(OPSGENIE).validate(body)
    details = body["details"]
    assert sum(len(name) + len(value) for name, value in details.items()) <= 8_000
    assert details.items() >= LABELS.items() - {("model", LABELS.get("model"))}
    assert (details["rows"], details["tables"][-3:]) == ("r" * 5_000, "t …")


def test_an_event_of_thousands_of_alerts_is_one_that_pagerduty_takes(server: Listener) -> None:
    labels = {"alertname": "é" * 15_000, "cause": "é" * 15_000, "severity": "critical"}
    about = {"summary": "s" * 500, "description": "é" * 4_000}
    alerts = [
        Alert("firing", labels, about, 0, generator_url=f"https://leeway.example/alerts/{n}") for n in range(3_000)
    ]
    send("pagerduty", server, group(tuple(alerts)))
    Draft202012Validator(PAGERDUTY).validate(server.requests[0].body)
    assert len(server.requests[0].raw) < 512_000
    assert len(server.requests[0].body["links"]) == 100


@every_vendor
def test_a_title_that_comes_to_nothing_is_the_default_one(kind: str, server: Listener) -> None:
    alerts = tuple(Alert("firing", LABELS | {"n": n}, {"summary": f"{n} moved"}, 0) for n in "ab")
    assert send(kind, server, group(alerts), title="{{ common_annotations.summary }}") == [Delivered()]
    Draft202012Validator(SCHEMAS[kind]).validate(server.requests[0].body)
    assert ": a moved and 1 more" in server.requests[0].raw.decode()


@every_vendor
def test_what_cannot_be_shown_has_a_sign_in_its_place(kind: str, server: Listener) -> None:
    about = {"summary": "a\x00 \x1b[31mb\u202ec", "description": "one\r\ntwo\x07"}
    send(kind, server, group((Alert("firing", {"alertname": "a"}, about, 0),)))
    text = json.dumps(server.requests[0].body, ensure_ascii=False)
    sign = "\N{REPLACEMENT CHARACTER}"
    assert f"a{sign} {sign}[31mb{sign}c" in text
    assert f"two{sign}" in text
    assert not {"\\u0000", "\\u001b", "\\u0007", "\u202e", "\\r"} & {part for part in text.split('"') if part}


def test_what_events_hold_is_no_link_in_teams_and_what_a_template_says_is(server: Listener) -> None:
    alert = Alert("firing", {"alertname": "a"}, {"summary": "[reset](https://evil.example)"}, 0)
    send("teams", server, group((alert,)), text="[open](https://leeway.example) {{ alerts[0].annotations.summary }}")
    text = json.dumps(server.requests[0].body, ensure_ascii=False)
    assert "[open](https://leeway.example)" in text
    assert "[reset](" not in text
    assert text.count("[reset]\N{WORD JOINER}(https://evil.example)") == 2
