"""What happens by the clock."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DECLARED = (
    table(
        "job_runs",
        # Times are 0 where there is none.
        "started_ms:uneven job:name instance:name ended_ms:uneven outcome:name reason:text:free missed:count "
        "failures:count asked_ms:count asked_by:str:free",
        "started_ms job instance",
        newest_by="ended_ms",
        row="a run of a job in one process, or, without a process, that somebody asked for one",
        time="started_ms",
        keep="job_runs",
    ),
    table(
        "job_pauses",
        "job:name updated_ms:int is_paused:int since_ms:int created_by:str:free reason:str:free",
        "job",
        newest_by="updated_ms",
        row="whether a job is paused, since when, and who wants it so; the row changed last stays",
    ),
)
