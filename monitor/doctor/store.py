"""The store: whether it answers, is up to date, has room, and may be written; and its clock."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.access.token_log import TokenLog
from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.access import Access
from monitor.doctor.finding import Finding, fine, unknown, wrong
from monitor.jobs.pause_log import read_pauses
from monitor.values import DAY_MS
from sinks.receivers.times import utc
from sinks.store import STORES
from sinks.store.connection import Connection
from sinks.store.contract import Query, Store, StoreError
from sinks.store.failures import EngineError

__all__ = ["store"]

MARK = "leeway.lock"
MOST_SKEW_MS = 5_000
ENDS_SOON_MS = 7 * DAY_MS


def store(configuration: Configuration, clock: Clock, is_served: Callable[[], bool]) -> Iterator[Finding]:
    """Look at the store; an embedded one that a service has open is the service's to look at.

    Parameters
    ----------
    configuration : Configuration
    clock : Clock
    is_served : callable
        Whether the service answers.
    """
    spec = configuration.service.spec.store
    if spec.kind == "memory":
        yield fine("store", "memory", "it lasts as long as the process")
        return
    settings = spec.settings()
    path = settings.get("path")
    if path is not None and not (Path(path) / MARK).exists():
        yield fine("store", str(path), "there is none yet: the service makes it")
        return
    if path is not None and _is_open(Path(path)):
        if is_served():
            yield fine("store", str(path), "the service has it open")
        else:
            advice = "`--url` says where its service answers; while none is meant to run, find and end that process"
            yield unknown("store", str(path), "another process has it open, and no service answers", advice)
        return
    subject = str(path or spec.kind)
    try:
        with _opened(spec.kind, settings) as opened:
            subject = opened.where if isinstance(opened, Connection) else subject
            yield from _looked_at(opened)
            yield from _clock(opened, clock)
            yield from _people(opened, clock, configuration)
    except StoreError as error:
        yield _failed(subject, error, is_embedded=path is not None)


def _failed(subject: str, error: StoreError, *, is_embedded: bool) -> Finding:
    reason = str(error).removeprefix(f"store at {subject}: ")
    if is_embedded:
        advice = "docs/store.md says what it needs; `leeway store verify` looks for damage"
        return wrong("store", subject, reason, advice)
    if isinstance(error, EngineError):
        advice = "give the user of `store` what it needs there, or wait for what the server lacks; docs/store.md"
        return wrong("store", subject, f"it refuses what is asked: {reason}", advice)
    advice = (
        "start its server, or see whether `store` names host, port and `tls` as they are and this machine may connect"
        " there; until it answers nothing is evaluated, and nothing is lost"
    )
    return wrong("store", subject, f"it does not answer: {reason}", advice)


def _is_open(path: Path) -> bool:
    """Whether a process has an embedded store open: whatever listens on a port may be another program."""
    with (path / MARK).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _opened(kind: str, settings: Mapping[str, Any]) -> Iterator[Store]:
    # As it is: `open_store` would bring its tables up to date.
    opened = STORES[kind](**settings)
    try:
        yield opened
    finally:
        opened.close()


def _looked_at(opened: Store) -> Iterator[Finding]:
    where = opened.where if isinstance(opened, Connection) else ""
    if isinstance(opened, Connection):
        yield fine("store", where, f"ClickHouse {opened.query('SELECT version() AS v')['v'][0]} answers")
        if reason := opened.unwritable():
            yield wrong("store", where, reason, "make room on its disk")
    if not opened.is_current():
        advice = "`leeway store migrate`, or start the process that evaluates"
        yield wrong("store", "tables", "they are of another version", advice)
        return
    yield fine("store", "tables", "they are those of this version")
    if isinstance(opened, Connection):
        yield _rights(opened)


def _rights(opened: Connection) -> Finding:
    """Say whether rows may be written: a statement that writes none needs the right to."""
    try:
        opened.command("INSERT INTO pulses SELECT * FROM pulses WHERE 0")
    except StoreError as error:
        advice = "give its user INSERT, SELECT, ALTER and CREATE on the database; docs/store.md"
        return wrong("store", "rights", f"nothing may be written: {error}", advice)
    return fine("store", "rights", "rows may be written")


def _clock(opened: Store, clock: Clock) -> Iterator[Finding]:
    if not isinstance(opened, Connection):
        return
    began_ms = clock.now_ms()
    [its_ms] = opened.query("SELECT toUnixTimestamp64Milli(now64(3)) AS t")["t"]
    skew_ms = int(its_ms) - (began_ms + clock.now_ms()) // 2
    detail = f"the store's clock is {abs(skew_ms) / 1000:.1f} s {'ahead' if skew_ms >= 0 else 'behind'}"
    if abs(skew_ms) > MOST_SKEW_MS:
        yield wrong("clock", "store", detail, "have both machines set by NTP: `timedatectl set-ntp true`")
    else:
        yield fine("clock", "store", detail)
    if not opened.is_current():
        return
    newest = opened.read(Query("alerts", order=("at_ms",), descending=True, limit=1, columns=("at_ms",)))["at_ms"]
    if len(newest) and newest[0] > clock.now_ms() + MOST_SKEW_MS:
        advice = "set the clock; if it is right now, it was ahead when that was written, and nothing is to be done"
        yield wrong(
            "clock", "machine", f"it is {utc(clock.now_ms())}, and an alert is of {utc(int(newest[0]))}", advice
        )


def _people(opened: Store, clock: Clock, configuration: Configuration) -> Iterator[Finding]:
    """Look at who may ask, and at what somebody has paused."""
    if not opened.is_current():
        return
    for pause in read_pauses(opened).values():
        yield wrong("jobs", pause.job, pause.sentence, f"`leeway jobs resume {pause.job}`, or ask whoever paused it")
    access, now_ms = configuration.service.spec.access, clock.now_ms()
    if not isinstance(access, Access):
        return
    tokens = [*access.configured(), *TokenLog(opened, clock).all()]
    good = [token for token in tokens if not token.revoked_ms and (not token.expires_ms or token.expires_ms > now_ms)]
    if "admin" not in {token.role for token in good} | _roles_without_token(configuration):
        yield wrong(
            "access", "tokens", "nobody is an administrator", "`leeway token create NAME --role admin --config FILE`"
        )
    else:
        yield fine("access", "tokens", f"{len(good)} are good")
    for token in good:
        if token.expires_ms and token.expires_ms < now_ms + ENDS_SOON_MS:
            advice = f"`leeway token create` makes another one for {token.name}"
            yield wrong("access", token.name, f"the token ends at {utc(token.expires_ms)}", advice)


def _roles_without_token(configuration: Configuration) -> set[str]:
    """The roles that client certificates and the OpenID issuer give."""
    access, tls = configuration.service.spec.access, configuration.service.spec.api.tls
    if not isinstance(access, Access):
        return set()
    grants = list(access.grants_of_certificates().values()) if tls is not None and tls.client_ca else []
    grants += access.oidc.roles.grants.values() if access.oidc is not None else []
    # Who is bound to namespaces does nothing for the whole service.
    return {grant.role for grant in grants if not grant.namespaces}
