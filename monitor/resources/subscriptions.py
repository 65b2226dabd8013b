"""Subscriptions: who is notified of which alerts, beside the routes of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.resources.contract import LengthMs, Question, Row, TimeMs, described

__all__ = ["KeptSubscription", "Subscriptions"]


@dataclass(frozen=True, kw_only=True)
class KeptSubscription(Row):
    """A subscription."""

    table = (
        ("notified", lambda row: row["receiver"] or row["email"] or row["webhook"]),
        ("matchers", lambda row: ", ".join(row["matchers"]) or "all alerts"),
        ("by", "created_by"),
        "comment",
        "id",
        "problem",
    )

    id: str
    matchers: list[str]
    receiver: str | None = described("one that the configuration names, or null")
    email: str | None
    webhook: str | None = described("only the host: the rest may be a secret")
    group_by: list[str]
    group_wait_ms: LengthMs
    group_interval_ms: LengthMs
    repeat_interval_ms: LengthMs
    created_by: str
    comment: str
    created_ms: TimeMs
    told: str = described("how decisions name the receiver; its entries are `told/NUMBER`")
    route: str = described("how decisions name the subscription")
    problem: str | None = described(
        "why it notifies nobody, or what the newest notification that was not taken met; null where it notifies"
    )


@dataclass(frozen=True, kw_only=True)
class Subscriptions(Question):
    """Who is notified of which alerts, beside the routes of the configuration."""

    path = "/v1/subscriptions"
    answer = KeptSubscription
    is_paged = False
    verb = "List subscriptions."
