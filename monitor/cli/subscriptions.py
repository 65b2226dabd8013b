"""``leeway subscriptions``: who wants to be told about which alerts."""

from __future__ import annotations

from typing import Any

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.output import as_table, json_line
from monitor.cli.silence import asked
from monitor.cli.subscribe import PATH

__all__ = ["command"]


@click.command("subscriptions")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON object per subscription.")
def command(*, url: str, json_: bool) -> None:
    """List subscriptions: who is told about which alerts, beside the routes of the configuration."""
    found = asked("GET", url, PATH)["items"]
    if json_:
        for one in found:
            click.echo(json_line(one))
        return
    as_table(
        ("told", "matchers", "by", "comment", "id", "problem"),
        (
            (
                _whom(one),
                ", ".join(one["matchers"]) or "all alerts",
                *(one[name] for name in ("created_by", "comment", "id")),
                one["problem"] or "",
            )
            for one in found
        ),
    )


def _whom(subscription: dict[str, Any]) -> str:
    """Say who is told, for people."""
    return str(subscription["receiver"] or subscription["email"] or subscription["webhook"])
