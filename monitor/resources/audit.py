"""The audit log: what was changed, by whom, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.resources.contract import Moment, Question, Row, TimeMs, described

__all__ = ["Audit", "AuditEntry"]


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Row):
    """A change, a look at data of persons, or an attempt that was refused."""

    table = (("time", "at_ms"), "who", "operation", "subject", "status", "reason", ("from", "address"), "unlisted")

    at_ms: TimeMs
    id: str
    who: str = described("name of the token; empty without a good one; of a command on the store, the user who ran it")
    role: str = described("of the token; empty without a good one")
    address: str = described("where the request came from: the last proxy, if there is one; of a command, its machine")
    operation: str = described("method and path of the route; only the method if there is none; or the command")
    subject: str = described("what it was about, else the path of the request; its first 300 characters")
    status: int = described("status of the answer; of a command 200, 422 if it was refused, 500 if it failed")
    reason: str = described("why it was refused; empty of what was done or read")
    unlisted: int = described("how many before have no entry: attempts that were refused, or looks of the same minute")


@dataclass(frozen=True, kw_only=True)
class Audit(Question):
    """What was changed, by whom, and what was refused, the latest first."""

    path = "/v1/audit"
    answer = AuditEntry
    verb = "Show what was changed, by whom, and what was refused."

    who: str | None = described("only this token's", default=None)
    operation: str | None = described(
        "only this operation's, such as `POST /v1/tokens`, or this command's", default=None
    )
    from_: Moment | None = None
    to: Moment | None = None
    limit: int | None = None
