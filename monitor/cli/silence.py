"""``leeway silence``: alerts that nobody is to be told about for a while."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Any

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.output import as_json, as_table, json_line

__all__ = ["asked", "command"]

TIMEOUT_S = 30.0
PATH = "/api/v2/silence"


@click.group("silence")
def command() -> None:
    """Keep alerts quiet for a while; a service that tells people by routes heeds it."""


@command.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@click.option("--for", "for_", required=True, metavar="DURATION", help="How long, such as 2h or 1d.")
@click.option("--from", "from_", default="now", metavar="TIME", help="When it begins.  [default: now]")
@click.option(
    "--only",
    multiple=True,
    metavar="HOURS",
    help="Only at these hours of the week, such as 'mon-fri 22:00-06:00' or 'sat,sun'; repeatable.",
)
@click.option("--zone", default="UTC", help="Time zone of --only, such as Europe/Berlin.  [default: UTC]")
@click.option(
    "--tell",
    multiple=True,
    metavar="RECEIVER",
    help="Tell this receiver when it begins and when it is over; repeatable.",
)
@click.option("--comment", required=True, help="Why.")
@click.option("--by", default=getpass.getuser, help="Who says so.  [default: your name on this machine]")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def add(
    matchers: Sequence[str],
    *,
    for_: str,
    from_: str,
    only: Sequence[str],
    zone: str,
    tell: Sequence[str],
    comment: str,
    by: str,
    url: str,
    json_: bool,
) -> None:
    """Silence alerts that all MATCHERs match, such as model=fraud or 'severity=~"info|warning"'; print its id."""
    from monitor.api.times import parse_time
    from monitor.clock import SystemClock
    from monitor.errors import InputError
    from monitor.routing.interval_spec import written
    from monitor.routing.matchers import MatcherError, parse_matchers
    from monitor.routing.weekly import weekly
    from monitor.values import parse_duration

    try:
        intervals = [interval for text in only for interval in weekly(text, zone)]
        wanted = [matcher for text in matchers for matcher in parse_matchers(text)]
        length_ms = parse_duration(for_)
    except (MatcherError, ValueError) as error:
        raise InputError(str(error)) from error
    starts_ms = parse_time(from_, SystemClock().now_ms())
    body: dict[str, Any] = {
        "matchers": [
            {
                "name": matcher.name,
                "value": matcher.value,
                "isRegex": matcher.operator in ("=~", "!~"),
                "isEqual": matcher.operator in ("=", "=~"),
            }
            for matcher in wanted
        ],
        "startsAt": _written(starts_ms),
        "endsAt": _written(starts_ms + length_ms),
        "createdBy": by,
        "comment": comment,
    }
    if intervals or tell:
        body["leeway"] = {"intervals": written(intervals), "tells": list(tell)}
    said = asked("POST", url, f"{PATH}s", body)
    if json_:
        as_json(said)
    else:
        click.echo(said["silenceID"])


@command.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that are over, for five days.")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON object per silence.")
def list_(*, all_: bool, url: str, json_: bool) -> None:
    """List silences."""
    found = [one for one in asked("GET", url, f"{PATH}s") if all_ or one["status"]["state"] != "expired"]
    if json_:
        for one in found:
            click.echo(json_line(one))
        return
    as_table(
        ("state", "until", "matchers", "by", "comment", "id"),
        (
            (
                one["status"]["state"],
                one["endsAt"],
                ", ".join(map(_matcher_text, one["matchers"])),
                *(one[name] for name in ("createdBy", "comment", "id")),
            )
            for one in found
        ),
    )


@command.command("show")
@click.argument("silence_id", metavar="ID")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def show(silence_id: str, *, url: str, json_: bool) -> None:
    """Say which alerts the silence ID kept quiet, and who was told when it began and when it was over."""
    from urllib.parse import quote

    found = asked("GET", url, f"/v1/silences/{quote(silence_id, safe='')}")
    if json_:
        as_json(found)
        return
    click.echo(f"{found['state']}: {', '.join(found['matchers'])}, by {found['created_by']}: {found['comment']}")
    click.echo(f"kept quiet: {', '.join(found['kept_quiet']) or 'nothing'}")
    as_table(
        ("receiver", "notice", "at", "because"),
        ((one["receiver"], one["why"], _written(one["at_ms"]), one["detail"]) for one in found["notices"]),
    )


@command.command("end")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
def end(ids: Sequence[str], *, url: str) -> None:
    """End silences now."""
    for name in ids:
        asked("DELETE", url, f"{PATH}/{name}")


def _matcher_text(matcher: dict[str, Any]) -> str:
    from monitor.routing.matchers import Matcher

    operator = ("=~" if matcher["isEqual"] else "!~") if matcher["isRegex"] else ("=" if matcher["isEqual"] else "!=")
    return str(Matcher(matcher["name"], operator, matcher["value"]))  # type: ignore[arg-type]


def _written(at_ms: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).isoformat()


def asked(method: str, url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask a running service."""
    import httpx

    from monitor.errors import InputError, SourceError

    try:
        answer = httpx.request(method, f"{url.rstrip('/')}{path}", json=body, timeout=TIMEOUT_S)
        document = answer.json() if answer.content else {}
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{url} cannot be reached: {error}", retryable=True) from error
    except ValueError as error:
        raise SourceError(f"{url} is no Leeway service: it does not answer JSON", retryable=False) from error
    if answer.status_code >= 500:
        raise SourceError(f"{url}: {document.get('detail', answer.status_code)}", retryable=True)
    if answer.status_code >= 400:
        raise InputError(str(document.get("detail", answer.status_code)))
    return document
