"""Series that are fed summaries, window by window, instead of panes from a store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.evaluate.baselines import extremes_of
from monitor.evaluate.columns import keys_of, sums_of
from monitor.evaluate.series import DistributionSeries
from monitor.evaluate.verdict_columns import Verdicts
from monitor.evaluate.windows import Windows
from monitor.watch import Summary


def windows_of(series: DistributionSeries, ends_ms: Sequence[int], summaries: Sequence[Summary]) -> Windows:
    """Windows in the columns of a series."""
    series.reference.make_room([key for summary in summaries for key in keys_of(summary)])
    columns = series.reference.columns
    return Windows(
        np.array(ends_ms, dtype=np.int64),
        np.array([columns.counts_of(summary) for summary in summaries]),
        np.array([sums_of(summary) for summary in summaries]),
        np.array([extremes_of(summary) for summary in summaries], dtype=np.float64),
    )


def fed(series: DistributionSeries, ends_ms: Sequence[int], summaries: Sequence[Summary]) -> Verdicts:
    """The verdicts of a series on windows."""
    return series.verdicts(windows_of(series, ends_ms, summaries))
