"""``leeway subscribe``: somebody is notified of alerts that matchers match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from monitor.cli.output import as_json
from monitor.cli.records import record
from monitor.cli.service import RunningService, by, comment, path, service

__all__ = ["command"]


@dataclass(frozen=True)
class NewSubscription:
    """A subscription, as the options state it.

    Raises
    ------
    click.UsageError
        If they name nobody, or more than one.
    """

    receiver: str | None
    email: str | None
    webhook: str | None
    group_by: Sequence[str]
    group_wait: str | None
    group_interval: str | None
    repeat_interval: str | None
    comment: str
    by: str

    def __post_init__(self) -> None:
        if sum(address is not None for address in (self.receiver, self.email, self.webhook)) != 1:
            raise click.UsageError("say whom to notify: --to RECEIVER, --email ADDRESS or --webhook URL.")

    @property
    def body(self) -> dict[str, Any]:
        """The body of the request, less the matchers."""
        options = vars(self) | {"group_by": list(self.group_by) or None}
        stated = {name: value for name, value in options.items() if value is not None}
        return stated | {"created_by": stated.pop("by")}


@click.command("subscribe")
@click.argument("matchers", nargs=-1, metavar="[MATCHER]...")
@record(
    "subscription",
    NewSubscription,
    click.option("--to", "receiver", metavar="RECEIVER", help="One that the service's configuration names."),
    click.option("--email", metavar="ADDRESS", help="A mail address, where the configuration allows it."),
    click.option("--webhook", metavar="URL", help="An address to post to, where the configuration allows it."),
    click.option(
        "--group-by", multiple=True, metavar="LABEL", help="Alerts that share it are notified together.  [model]"
    ),
    click.option("--group-wait", metavar="DURATION", help="How long a new group waits for more.  [30s]"),
    click.option("--group-interval", metavar="DURATION", help="How often a group is looked at.  [5m]"),
    click.option("--repeat-interval", metavar="DURATION", help="When an unchanged group is notified again.  [4h]"),
    comment,
    by,
)
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(matchers: Sequence[str], subscription: NewSubscription, service: RunningService, *, json_: bool) -> None:
    """Subscribe to the alerts that all MATCHERs match, such as model=fraud; without one, to all. Prints an id.

    `leeway alerts follow` shows them in the terminal instead.
    """
    document = service.send("POST", path("v1", "subscriptions"), subscription.body | {"matchers": list(matchers)})
    if json_:
        as_json(document)
    else:
        click.echo(document["id"])
