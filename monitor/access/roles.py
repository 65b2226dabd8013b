"""Roles: what the holder of a token may do."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["MAY", "Grant", "Need", "Role"]

Role = Literal["viewer", "editor", "admin", "ingest"]

Need = Literal["nothing", "viewer", "editor", "admin", "ingest"]
"""What a request needs: the smallest role that may make it, or nothing, not even a token."""

MAY: dict[Role, frozenset[Need]] = {
    "viewer": frozenset({"nothing", "viewer"}),
    "editor": frozenset({"nothing", "viewer", "editor"}),
    "admin": frozenset({"nothing", "viewer", "editor", "admin", "ingest"}),
    "ingest": frozenset({"nothing", "ingest"}),
}
"""What each role may. `ingest` sends events and alerts, and reads nothing: a producer needs no more."""


class Grant(NamedTuple):
    """A role, and where it holds.

    Attributes
    ----------
    role : Role
    namespaces : tuple of str
        For whose models alone; of all if empty.
    """

    role: Role
    namespaces: tuple[str, ...] = ()
