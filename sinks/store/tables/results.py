"""What was counted, what detectors said about it, and what a store derives from both."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS

_SERIES = "model:name signal:name segment:name:segment version:name"
_COUNTED = (
    "n:count missing:count invalid:count out_of_range:count cells:counts counts:counts names:texts:names "
    "other:count "
    "sum_q:count sum_q2:count min:float max:float"
)
_VERDICT = (
    "window_end_ms:even window_ms:even statistic:float effect:float min_effect:float p_value:float surprise:float "
    "surprise_limit:float status:name n:count baseline_n:count baseline_from_ms:even baseline_to_ms:even idle:text:own "
    "detail:text:quoted"
)
_BUCKET = (
    "bucket_end_ms:even windows:count events:count ok:count warning:count drift:count no_data:count learning:count "
    "measured:count statistic_min:float statistic_max:float places:counts digits:ints severity:float "
    + " ".join(f"worst_{column}" for column in _VERDICT.split())
)
_BUCKET_KEY = "model signal segment version detector bucket_end_ms"
# Names and counts of sums are added up name by name: a row may hold more names than its layout samples, and adding
# summaries (one is enough) cuts them. Panes whose length is no divisor of the sum's are left out.
_SUM = f"{_SERIES} pane_start_ms:even late:count layout:name pane_ms:even {_COUNTED}"
_SUM_KEY = "model signal segment version pane_start_ms late layout"

DECLARED = (
    # late_at_ms is 0 for the events that came in time. Late events of a pane are additions to it, keyed by the pane in
    # which the partition's watermark stood when they came. Where its clock was set back, events that come in time are
    # additions to panes that were written before: keyed by -1, -2 …, and late ones by as many ms beyond.
    table(
        "panes",
        f"{_SERIES} pane_start_ms:even late_at_ms:even topic:name partition:count pane_ms:even layout:name {_COUNTED}",
        "model signal segment version pane_start_ms late_at_ms topic partition",
        row="the summary of one signal over a short time, by partition",
        time="pane_start_ms",
        part="month",
        span_ms=300_000,
        page_rows=20_000,
    ),
    table(
        "scores",
        f"{_SERIES} detector:name {_VERDICT}",
        "model signal segment version detector window_end_ms",
        row="what a detector said about a window",
        time="window_end_ms",
        part="month",
        span_ms=DAY_MS // 4,
    ),
    table(
        "expectations",
        f"{_SERIES} from_ms:even window_ms:even windows:count windows_needed:count days:count days_needed:count "
        "threshold:float day_threshold:float contrasts:document:document",
        "model signal segment version from_ms",
        row="what the alarm rule `change` expects of a series on a day, as it stands when the day begins",
        time="from_ms",
        keep="scores",
        part="month",
    ),
    table(
        "findings",
        "model:name signal:name version:name detector:name topic:name partition:count offset:even:rows event_ms:even "
        "value:float score:float status:name level:float segment:name:segment",
        "model signal version detector topic partition offset segment",
        row="an observation at which a per-event detector fired",
        time="event_ms",
    ),
    table(
        "latest",
        f"{_SERIES} detector:name {_VERDICT}",
        "model signal segment version detector",
        newest_by="window_end_ms",
        row="the newest score of a series and detector: how is my model now",
        source="scores",
    ),
    table(
        "scores_1h",
        f"{_SERIES} detector:name {_BUCKET} refreshed_ms:even",
        _BUCKET_KEY,
        newest_by="refreshed_ms",
        row="the scores of an hour, with counts, extremes, exact sum and worst window: a signal over weeks, the top of "
        "a day",
        time="bucket_end_ms",
        part="month",
        span_ms=WEEK_MS,
        source="scores",
        readable=False,
    ),
    table(
        "scores_1d",
        f"{_SERIES} detector:name {_BUCKET} refreshed_ms:even",
        _BUCKET_KEY,
        newest_by="refreshed_ms",
        row="the same of a day (UTC): a signal over years, the top of a week",
        time="bucket_end_ms",
        part="year",
        source="scores",
        readable=False,
    ),
    table(
        "drifts_1h",
        "model:name hour_ms:even signals:names:own segments:names:segment versions:names:own detectors:names:own "
        "window_ends_ms:ints "
        "effects:floats min_effects:floats refreshed_ms:even",
        "model hour_ms",
        newest_by="refreshed_ms",
        row="the windows of an hour of a model that are in drift, in arrays of one length: what drifted most",
        time="hour_ms",
        # People ask what drifted beside how many windows there were, and days answer that for longest.
        keep="scores_1d",
        part="year",
        source="scores",
        readable=False,
    ),
    table(
        "panes_5m",
        _SUM,
        _SUM_KEY,
        row="panes added up to 5 minutes, over topics and partitions: windows of months, backtests",
        time="pane_start_ms",
        part="month",
        span_ms=DAY_MS,
        source="panes",
    ),
    table(
        "panes_1h",
        _SUM,
        _SUM_KEY,
        row="panes added up to an hour, over topics and partitions: windows of years, seasonal baselines",
        time="pane_start_ms",
        part="month",
        span_ms=WEEK_MS,
        source="panes",
    ),
    table(
        "touched",
        "source:name model:name hour_ms:even touched_ms:largest refreshed_ms:largest",
        "source model hour_ms",
        row="an hour of a model that roll-ups may not hold yet",
        source="panes",
        readable=False,
    ),
)
