"""The audit log of commands that change a store without a service, which would write of the request."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click

from monitor.access.audit_log import Entry, write_entry
from monitor.clock import SystemClock
from monitor.errors import InputError
from sinks.store.contract import Store, StoreError

__all__ = ["audited"]

# As a service would have answered.
DONE, REFUSED, FAILED = 200, 422, 500


@contextmanager
def audited(store: Store | None, command: str) -> Iterator[list[str]]:
    """Write down that a command changes a store, before it says so; lends what to add its subject to.

    Parameters
    ----------
    store : Store or None
        None: a service is asked, and writes it down.
    command : str
    """
    subjects: list[str] = []
    status = FAILED
    try:
        yield subjects
        status = DONE
    except InputError:
        status = REFUSED
        raise
    finally:
        if store is not None:
            _write(store, Entry(_user(), "", socket.gethostname(), command, " ".join(filter(None, subjects)), status))


def _write(store: Store, entry: Entry) -> None:
    try:
        write_entry(store, SystemClock(), entry)
    except StoreError as error:
        # What was done is done, and who did it should hear of that first.
        click.echo(f"not in the audit log: {error}", err=True)


def _user() -> str:
    """Return who runs this process: not what the environment says, which anybody can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
