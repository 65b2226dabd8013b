"""Every job, in one table. Nothing here decides anything that is stored as a result."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["JOBS", "Job"]


class Job(NamedTuple):
    """What is done by the clock, in each process of a role: doing it twice changes no more than doing it once.

    Attributes
    ----------
    every_s : float
    role : str
        Whose processes run it; empty: every process.
    summary : str
    is_vital : bool
        Whether something grows without end while it does not run.
    """

    every_s: float
    role: str = ""
    summary: str = ""
    is_vital: bool = False


JOBS: dict[str, Job] = {
    "trim_ingest_log": Job(60, "ingest", "drops HTTP events that lie before the checkpoint", is_vital=True),
    "work_out_performance": Job(
        30, "evaluate", "joins labels with predictions, hour by hour, of models with `spec.performance`"
    ),
    "refresh_roll_ups": Job(60, "evaluate", "adds up scores and panes of hours that have settled"),
    "keep_lifetimes": Job(3600, "evaluate", "gives tables their lifetimes", is_vital=True),
    "look_at_group": Job(30, "ingest", "finds out who is in the Kafka group and does not share the store"),
    "look_at_store": Job(300, "", "looks for damage to the store"),
    "give_back_memory": Job(60, "", "gives memory back to the machine that a burst took and that is free again"),
    "self_test": Job(900, "evaluate", "finds out whether a drift is still found, where `self_test` is configured"),
    "log_status": Job(300, "", "writes a line with counts to the log"),
}
