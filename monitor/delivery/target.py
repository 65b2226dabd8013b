"""One entry of a receiver: what routes name, and what a sending thread belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """One entry of a receiver.

    Attributes
    ----------
    receiver : str
    number : int
        Of the entry within the receiver.
    send_resolved : bool
    forgets : bool
        Whether it loses what it was sent when it restarts, and is reminded of what fires.
    configuration : object
        What it is made of, as far as that is known; it is the same entry with another one, and heard from as such.

    Examples
    --------
    >>> Target("mail").name
    'mail/0'
    """

    receiver: str
    number: int = 0
    send_resolved: bool = True
    forgets: bool = False
    configuration: object = field(default=None, compare=False, repr=False)

    @cached_property
    def name(self) -> str:
        """Unique among all entries."""
        return f"{self.receiver}/{self.number}"
