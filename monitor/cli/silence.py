"""``leeway silence``: alerts of which nobody is notified for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.output import as_json, as_rows, as_table, json_line
from monitor.cli.records import record
from monitor.cli.service import RunningService, by, path, service
from monitor.resources.silences import Notice

__all__ = ["command"]


@click.group("silence")
def command() -> None:
    """Silence alerts for a while."""


@dataclass(frozen=True)
class NewSilence:
    """A silence, as the options state it."""

    for_: str
    from_: str
    only: Sequence[str]
    zone: str
    tell: Sequence[str]
    comment: str
    by: str

    def body(self, matchers: Sequence[str]) -> dict[str, Any]:
        """Return the body of the request.

        Raises
        ------
        InputError
        """
        from monitor.api.times import parse_time
        from monitor.client.people import parts_of
        from monitor.clock import SystemClock
        from monitor.errors import InputError
        from monitor.routing.interval_spec import written
        from monitor.routing.matchers import MatcherError
        from monitor.routing.weekly import weekly
        from monitor.values import parse_duration

        try:
            intervals = [interval for text in self.only for interval in weekly(text, self.zone)]
            parts = parts_of(matchers)
            length_ms = parse_duration(self.for_)
        except (MatcherError, ValueError) as error:
            raise InputError(str(error)) from error
        starts_ms = parse_time(self.from_, SystemClock().now_ms())
        ends = {"startsAt": _rfc3339(starts_ms), "endsAt": _rfc3339(starts_ms + length_ms)}
        body = {"matchers": parts, **ends, "createdBy": self.by, "comment": self.comment}
        own = {"leeway": {"intervals": written(intervals), "tells": list(self.tell)}}
        return body | (own if intervals or self.tell else {})


@command.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@record(
    "silence",
    NewSilence,
    click.option("--for", "for_", required=True, metavar="DURATION", help="How long, such as 2h or 1d."),
    click.option("--from", "from_", default="now", metavar="TIME", help="When it starts.  [default: now]"),
    click.option(
        "--only",
        multiple=True,
        metavar="HOURS",
        help="Only at these hours of the week, such as 'mon-fri 22:00-06:00' or 'sat,sun'; may be repeated.",
    ),
    click.option("--zone", default="UTC", help="Time zone of --only, such as Europe/Berlin.  [default: UTC]"),
    click.option(
        "--tell",
        multiple=True,
        metavar="RECEIVER",
        help="Notify this receiver when it starts and when it is over; may be repeated.",
    ),
    click.option("--comment", required=True, help="Why."),
    by,
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def add(matchers: Sequence[str], silence: NewSilence, service: RunningService, *, json_: bool) -> None:
    """Silence alerts that all MATCHERs match, such as model=fraud or 'severity=~"info|warning"'; print its id."""
    document = service.send("POST", "/api/v2/silences", silence.body(matchers))
    if json_:
        as_json(document)
    else:
        click.echo(document["silenceID"])


@command.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that are over, for five days.")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON object per silence.")
def list_(service: RunningService, *, all_: bool, json_: bool) -> None:
    """List silences."""
    silences = [
        silence
        for silence in service.send("GET", "/api/v2/silences")
        if all_ or silence["status"]["state"] != "expired"
    ]
    if json_:
        for silence in silences:
            click.echo(json_line(silence))
        return
    as_table(
        ("state", "until", "matchers", "by", "comment", "id"),
        (
            (
                silence["status"]["state"],
                silence["endsAt"],
                ", ".join(map(_matcher_text, silence["matchers"])),
                *(silence[name] for name in ("createdBy", "comment", "id")),
            )
            for silence in silences
        ),
    )


@command.command("show")
@click.argument("silence_id", metavar="ID")
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def show(silence_id: str, service: RunningService, *, json_: bool) -> None:
    """Show which alerts the silence ID kept quiet, and who was notified when it started and when it was over."""
    silence = service.send("GET", path("v1", "silences", silence_id))
    if json_:
        as_json(silence)
        return
    click.echo(
        f"{silence['state']}: {', '.join(silence['matchers'])}, by {silence['created_by']}: {silence['comment']}"
    )
    click.echo(f"kept quiet: {', '.join(silence['kept_quiet']) or 'nothing'}")
    as_rows(Notice, silence["notices"])


@command.command("end")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@service
def end(ids: Sequence[str], service: RunningService) -> None:
    """End silences now."""
    for silence_id in ids:
        service.send("DELETE", path("api", "v2", "silence", silence_id))


def _matcher_text(matcher: dict[str, Any]) -> str:
    from monitor.routing.matchers import Matcher

    operator = ("=~" if matcher["isEqual"] else "!~") if matcher["isRegex"] else ("=" if matcher["isEqual"] else "!=")
    return str(Matcher(matcher["name"], operator, matcher["value"]))  # type: ignore[arg-type]


def _rfc3339(at_ms: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).isoformat()
