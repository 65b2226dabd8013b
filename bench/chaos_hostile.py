"""Requests that nobody should send, and what must not come of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import httpx

from bench.chaos_accounts import Ledger
from bench.chaos_traffic import STREAM

__all__ = ["REQUESTS", "post_all"]

JSON, LINES = "application/json", "application/x-ndjson"
TOO_EARLY, TOO_LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
DEEP = b"[" * 100_000 + b"]" * 100_000
HALF = rb'"\ud800"'
SILENCE = {"matchers": [{"name": "a", "value": "b"}], "createdBy": "x", "comment": "x"}
SPANS = [{"startsAt": TOO_EARLY, "endsAt": TOO_LATE}, {"startsAt": "2024-01-01T00:00:00Z", "endsAt": TOO_LATE}]


def _bodies() -> Iterator[tuple[str, str, bytes]]:
    for path in (
        "/api/v2/alerts",
        "/api/v2/silences",
        "/v1/erasures",
        "/v1/marks",
        "/v1/deployments",
        f"/v1/events/{STREAM}",
    ):
        yield path, JSON, DEEP
        yield path, JSON, b'{"a": "\xe9"}'
        yield path, JSON, b"9" * 2_000
        yield path, JSON, b'{"subject":' + HALF + b',"labels":{' + HALF + b":" + HALF + b"}}"
        yield path, "text/plain", b"x" * 100_000
    for times in ({"startsAt": TOO_EARLY}, {"endsAt": TOO_LATE}):
        yield (
            "/api/v2/alerts",
            JSON,
            json.dumps([{"labels": {"alertname": "edge", "at": str(times)}, **times}]).encode(),
        )
    for span in SPANS:
        yield "/api/v2/silences", JSON, json.dumps(SILENCE | span).encode()
    yield "/v1/erasures", JSON, b'{"subject": "nobody", "dry_run": 0}'
    yield "/api/v2/alerts", JSON, b'[{"labels":{"alertname":"odd \\ud800"},"endsAt":"2020-01-01T00:00:00Z"}]'
    yield f"/v1/events/{STREAM}", LINES, b"\n".join([DEEP, b'{"ts": 1e400}', b"null", b'{"id": {"a": 1}, "ts": -1}'])


REQUESTS = tuple(_bodies())
MEMBERS = gzip.compress(b'{"ts": "never"}\n', mtime=0) * 2_000


def post_all(url: str, ledger: Ledger) -> list[str]:
    """Send all of them; return what was answered as an error of the service's own.

    Parameters
    ----------
    url : str
    ledger : Ledger
        Gets the messages that were taken, bad as they are: they have to become dead letters.
    """
    wrong = []
    with httpx.Client(timeout=20) as client:
        for path, kind, body in REQUESTS:
            wrong += _post(client, url, path, {"content-type": kind}, body, ledger)
        packed = {"content-type": LINES, "content-encoding": "gzip"}
        wrong += _post(client, url, f"/v1/events/{STREAM}", packed, MEMBERS, ledger)
    return wrong


def _post(client: httpx.Client, url: str, path: str, headers: dict[str, str], body: bytes, ledger: Ledger) -> list[str]:
    try:
        answer = client.post(url + path, headers=headers, content=body)
    except httpx.ConnectError:
        return []  # it was killed, and starts
    except httpx.HTTPError:
        ledger.unanswered.add("")  # messages without identities may be there
        return []
    if answer.status_code == 202 and path.startswith("/v1/events"):
        first, last = answer.json()["first_offset"], answer.json()["last_offset"]
        ledger.accepted.update({(STREAM, 0, offset): "" for offset in range(first, last + 1)})
    # 503: the store or the disk is away, or too much comes at once.
    return [f"{path} answered {answer.status_code} to {body[:40]!r}"] if answer.status_code in (500, 502, 504) else []
