"""``leeway unsubscribe``: subscriptions end."""

from __future__ import annotations

from collections.abc import Sequence

import click

from monitor.cli.service import RunningService, path, service

__all__ = ["command"]


@click.command("unsubscribe")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@service
def command(ids: Sequence[str], service: RunningService) -> None:
    """End subscriptions now."""
    for subscription_id in ids:
        service.send("DELETE", path("v1", "subscriptions", subscription_id))
