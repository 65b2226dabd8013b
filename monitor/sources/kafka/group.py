"""Joining a Kafka group with short polls: what kafka-python 3.0.12 loses of a join that outlasts a poll.

A join may take longer than one ``poll``, and it ends whenever the other members are ready. The client keeps it for the
next poll, but loses it in two ways:

- A join that ended between two polls is thrown away and a new one is sent. If the member leads the group, that makes
  everybody join anew, and two members that are polled in turn may go on like this for minutes, reading nothing.
- The next poll asks whether a join is needed before it looks for the one under way. Where changed metadata had started
  it, the answer is no as soon as the leader has made its assignment: what the group assigned is never applied, no
  heartbeat is sent, and the member is thrown out unnoticed.

The remedy is one rule: a join that was started is waited for until its result was taken up.

A third thing it loses is that a member was thrown out: joining again, it claims the partitions that it had, the leader
takes half of them away from it for a second round, and that round never comes, since it has nothing to give back. So a
member claims what it holds.

And a static member whose place another process has taken is told so by the answer to a heartbeat, which the client
keeps to itself.

Last, a poll ends a wait when a heartbeat is due, which a thread of the client's own sends. While a broker that hangs
owes the answer to one, the next is due all the time: the poll goes round without a pause, some thousand times a
second, and each round leaves an error with its frames in the fetch that is not answered: 20 MB a second.
"""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.errors import FencedInstanceIdError

__all__ = ["keep_joins"]

LEAST_WAIT_S = 0.1
"""A poll waits for records at least this long before it looks after its group again."""


def keep_joins(consumer: KafkaConsumer) -> None:
    """Make ``consumer`` take up the result of every join that it starts; call it before the first poll.

    Rests on ``_coordinator`` and its ``_join_task``, which are private: the minor version is pinned, and tests with
    short polls tell when they change.
    """
    if consumer._coordinator is not None:
        consumer._coordinator.__class__ = _Coordinator


class _Coordinator(ConsumerCoordinator):  # type: ignore[misc]
    _join: _Join | None = None

    @property
    def _join_task(self) -> _Join | None:
        return self._join

    @_join_task.setter
    def _join_task(self, future: Any) -> None:
        self._join = None if future is None else _Join(future)

    def need_rejoin(self) -> bool:
        return self._join is not None or super().need_rejoin()

    def time_to_next_poll(self) -> float:
        due_s: float = super().time_to_next_poll()
        return max(due_s, LEAST_WAIT_S)

    def group_protocols(self) -> Any:
        # The assignor would claim what the group gave it last. A member that was thrown out since holds nothing of it;
        # what it claims all the same nobody else gets, and nobody reads.
        held = sorted(self._subscription.assigned_partitions())
        for assignor in self._assignors.values():
            assignor.member_assignment = held
        return super().group_protocols()

    async def _send_heartbeat_request(self) -> Any:
        try:
            return await super()._send_heartbeat_request()
        except FencedInstanceIdError:
            # The client only stops its heartbeats, and reads on; what a commit has found ends the next poll.
            self._async_commit_fenced = True
            raise


class _Join:
    """The future of a join, which never says that it is done: done means that nobody needs its result any more."""

    is_done = False

    def __init__(self, future: Any) -> None:
        self.add_callback = future.add_callback
        self.add_errback = future.add_errback
