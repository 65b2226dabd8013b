"""How members of a Kafka group share out its partitions, and what each of them says of itself."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

__all__ = ["assignor_of", "user_data"]

# Other clients' sticky assignors look for a generation in the first bytes: there is none.
_NO_GENERATION = struct.pack(">i", -1)


def assignor_of(store_id: str) -> type[CooperativeStickyAssignor]:
    """Return the assignor of members that share a store: the client's own, and it names the store.

    A member says so in the user data of its subscription, which brokers tell whoever may describe the group. The
    assignor leaves the field empty otherwise, and does not read it.
    """
    own = user_data(store_id)

    class Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
        def metadata(self, topics: Iterable[str]) -> Any:
            subscription = super().metadata(topics)
            subscription.user_data = own
            return subscription

    return Assignor


def user_data(store_id: str) -> bytes:
    """Return what a member says of itself: the identity of its store."""
    return _NO_GENERATION + f"leeway-store/{store_id}".encode()
