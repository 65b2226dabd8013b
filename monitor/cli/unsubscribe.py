"""``leeway unsubscribe``: subscriptions are ended."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.silence import asked
from monitor.cli.subscribe import PATH

__all__ = ["command"]


@click.command("unsubscribe")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
def command(ids: Sequence[str], *, url: str) -> None:
    """End subscriptions now."""
    for name in ids:
        asked("DELETE", url, f"{PATH}/{quote(name, safe='')}")
