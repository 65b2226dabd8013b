"""``leeway subscribe``: being told about alerts that matchers match."""

from __future__ import annotations

import getpass
from collections.abc import Sequence

import click

from monitor.cli.answers import DEFAULT_URL
from monitor.cli.output import as_json
from monitor.cli.silence import asked

__all__ = ["PATH", "command"]

PATH = "/v1/subscriptions"


@click.command("subscribe")
@click.argument("matchers", nargs=-1, metavar="[MATCHER]...")
@click.option("--to", "receiver", metavar="RECEIVER", help="One that the service's configuration names.")
@click.option("--email", metavar="ADDRESS", help="A mail address, where the configuration allows it.")
@click.option("--webhook", metavar="URL", help="An address to post to, where the configuration allows it.")
@click.option("--group-by", multiple=True, metavar="LABEL", help="Alerts that share it are told together.  [model]")
@click.option("--group-wait", metavar="DURATION", help="How long a new group waits for more.  [30s]")
@click.option("--group-interval", metavar="DURATION", help="How often a group is looked at.  [5m]")
@click.option("--repeat-interval", metavar="DURATION", help="When what has not changed is told again.  [4h]")
@click.option("--comment", default="", help="What others should know.")
@click.option("--by", default=getpass.getuser, help="Who wants it.  [default: your name on this machine]")
@click.option("--url", default=DEFAULT_URL, help=f"Of the running service.  [default: {DEFAULT_URL}]")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(
    *,
    matchers: Sequence[str],
    receiver: str | None,
    email: str | None,
    webhook: str | None,
    group_by: Sequence[str],
    by: str,
    comment: str,
    url: str,
    json_: bool,
    **waits: str | None,
) -> None:
    """Be told about alerts that all MATCHERs match, such as model=fraud; without one, about all. Prints an id.

    `leeway alerts follow` shows them in the terminal instead.
    """
    told = {"receiver": receiver, "email": email, "webhook": webhook}
    if sum(to is not None for to in told.values()) != 1:
        raise click.UsageError("say who is to be told: --to RECEIVER, --email ADDRESS or --webhook URL.")
    given = {**told, **waits, "group_by": list(group_by) or None, "created_by": by, "comment": comment}
    body = {name: value for name, value in given.items() if value is not None}
    said = asked("POST", url, PATH, body | {"matchers": list(matchers)})
    if json_:
        as_json(said)
    else:
        click.echo(said["id"])
