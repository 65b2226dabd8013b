"""``leeway token``: who may ask and change what."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import click

from monitor.access.roles import Grant, Role
from monitor.access.tokens import MARK, Token, digest_of
from monitor.cli.answers import DEFAULT_URL
from monitor.cli.credentials import NO_CREDENTIALS, Credentials, credentials
from monitor.cli.output import as_json, as_rows, json_line, when
from monitor.cli.records import record
from monitor.cli.service import RunningService, path
from monitor.resources.tokens import KeptToken

if TYPE_CHECKING:
    from monitor.access.token_log import TokenLog
    from sinks.store.contract import Store

__all__ = ["command"]

UNASKED = "this configuration asks nobody for a token: add `access: {}` under `spec`, and start the service again"


@click.group("token")
def command() -> None:
    """Make, list and revoke tokens: who may ask and change what.

    A running service is asked with the token of an administrator. The first token is made in the store itself: --config
    or --store names it. An embedded store is open to one process at a time, so that its service must not run then.
    """


class Book(Protocol):
    """Where tokens are kept."""

    def rows(self) -> list[dict[str, Any]]: ...

    def create(self, name: str, grant: Grant, expires: str) -> dict[str, Any]: ...

    def revoke(self, name: str) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ServiceBook:
    """The tokens of a running service."""

    service: RunningService

    def rows(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.service.send("GET", path("v1", "tokens"))["items"]
        return items

    def create(self, name: str, grant: Grant, expires: str) -> dict[str, Any]:
        body: dict[str, Any] = {"name": name, "role": grant.role, "expires": expires}
        if grant.namespaces:
            body["namespaces"] = list(grant.namespaces)
        made: dict[str, Any] = self.service.send("POST", path("v1", "tokens"), body)
        return made

    def revoke(self, name: str) -> dict[str, Any]:
        revoked: dict[str, Any] = self.service.send("DELETE", path("v1", "tokens", name))
        return revoked


@dataclass(frozen=True)
class StoreBook:
    """The tokens of a store that is at hand."""

    store: Store
    log: TokenLog
    by: str
    now_ms: int
    configured: Sequence[Token]

    def rows(self) -> list[dict[str, Any]]:
        from monitor.access.listing import listing

        return listing([*self.configured, *self.log.all()], self.log.last_uses(), self.now_ms)

    def create(self, name: str, grant: Grant, expires: str) -> dict[str, Any]:
        from monitor.access.listing import shown
        from monitor.cli.audited import audited

        with audited(self.store, "leeway token create") as subjects:
            subjects += [name, grant.role, *grant.namespaces]
            token, secret = self.log.create(
                name, grant.role, created_by=self.by, lasts_ms=_lasts_ms(expires), namespaces=grant.namespaces
            )
            subjects.append(token.id)
        return {**shown(token, self.now_ms), "secret": secret}

    def revoke(self, name: str) -> dict[str, Any]:
        from monitor.access.listing import shown
        from monitor.cli.audited import audited

        with audited(self.store, "leeway token revoke") as subjects:
            revoked = self.log.revoke(name, revoked_by=self.by)
            subjects += [text for token in revoked for text in (token.name, token.id)]
        return shown(revoked[-1], self.now_ms)


def _lasts_ms(expires: str) -> int | None:
    from monitor.errors import InputError
    from monitor.values import parse_duration

    try:
        lasts_ms = parse_duration(expires) if expires else None
    except (ValueError, OverflowError) as error:
        raise InputError(f"--expires: {error}") from error
    if lasts_ms == 0:
        raise InputError("--expires: a token that lasts no time is good for nothing")
    return lasts_ms


@dataclass(frozen=True)
class Home:
    """Where tokens are kept, as the options state it."""

    url: str | None
    credentials: Credentials
    folder: Path | None
    config: str | None
    by: str

    @contextmanager
    def opened(self, *, new: bool = False) -> Iterator[Book]:
        """Lend the tokens of a service or of a store, which is made or brought up to date if it may be ``new``."""
        if self.folder is None and self.config is None:
            yield ServiceBook(RunningService(self.url or DEFAULT_URL, self.credentials))
            return
        if self.url is not None or self.credentials != NO_CREDENTIALS:
            raise click.UsageError(
                "--url, --token-file, --ca, --cert and --key are for a service, --store and --config for its store."
            )
        from monitor.access.token_log import TokenLog
        from monitor.cli.store import opened_store
        from monitor.clock import SystemClock

        clock = SystemClock()
        with opened_store(self.folder, self.config, new=new and self.config is not None) as (store, configuration):
            if new:
                store.migrate()
            access = configuration.service.spec.access if configuration is not None else None
            configured = [] if access is None or access == "none" else access.configured()
            if configuration is not None and access in (None, "none"):
                click.echo(UNASKED, err=True)
            yield StoreBook(store, TokenLog(store, clock, configured), self.by, clock.now_ms(), configured)


home = record(
    "home",
    Home,
    click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]"),
    credentials,
    click.option("--store", "folder", type=click.Path(path_type=Path), help="The directory of an embedded store."),
    click.option("--config", type=click.Path(), help="The configuration that names the store, which `create` makes."),
    click.option(
        "--by",
        default=getpass.getuser,
        help="Who you are, with --store or --config.  [default: your name on this machine]",
    ),
)
"""Adds the options that say where tokens are kept; the command takes ``home``."""


@command.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(get_args(Role)), required=True, help="What its holder may do.")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="For the models of this namespace alone; may be repeated.  [default: of all]",
)
@click.option("--expires", default="", metavar="DURATION", help="After how long it ends: 90d.  [default: never]")
@home
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def create(name: str, role: Role, namespaces: tuple[str, ...], expires: str, home: Home, *, json_: bool) -> None:
    """Make a token for NAME, and print its secret: the only time that anybody sees it."""
    with home.opened(new=True) as book:
        made = book.create(name, Grant(role, namespaces), expires)
    if json_:
        as_json(made)
        return
    click.echo(made["secret"])
    ends = f"until {when(made['expires_ms'])}" if made["expires_ms"] else "until it is revoked"
    where = f" of the models of {', '.join(namespaces)}" if namespaces else ""
    click.echo(f"{name} is {role}{where} {ends}; nobody can show this secret again", err=True)


@command.command("list")
@home
@click.option("--json", "json_", is_flag=True, help="One JSON object per token.")
def list_(home: Home, *, json_: bool) -> None:
    """List tokens: those that are good first. Their secrets are not kept."""
    with home.opened() as book:
        rows = book.rows()
    if not json_:
        as_rows(KeptToken, rows)
        return
    for row in rows:
        click.echo(json_line(row))


@command.command("revoke")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@home
@click.option("--json", "json_", is_flag=True, help="One JSON object per token.")
def revoke(names: Sequence[str], home: Home, *, json_: bool) -> None:
    """End the tokens NAME, or with these ids, for ever. Services refuse them within seconds."""
    with home.opened() as book:
        for name in names:
            revoked = book.revoke(_without_secret(name))
            click.echo(json_line(revoked) if json_ else f"revoked {revoked['name']} ({revoked['role']})")


def _without_secret(name: str) -> str:
    """Return the id for a secret that somebody has pasted: it is to stand in no address."""
    return digest_of(name)[:12] if name.startswith(MARK) else name
