"""What the columns of a chart's arrays hold, and what the numbers in them stand for."""

from __future__ import annotations

from detectors.distance.contract import ANSWER, TABLE

HISTORY = 2048
"""Windows from which a series' variation is learned; those before are forgotten."""

GROUPS = 20
"""Bins of distances that need few: fine cells are merged until each holds a twentieth of the baseline."""

MOST_GROUPS = max(2 * GROUPS + 3, GROUPS + 64)
"""Of cells; or of names: those that stand alone, one group for each power of two, and one of all others."""

# Sums of a summary.
N, MISSING, INVALID, OUT_OF_RANGE, OTHER, SUMS = range(6)
# A test: the number of its kernel, what that reads, and whose tail its p-value is (`detectors.distance`).
NUMBER, READS, TAIL, TEST = range(4)
# Rules of a series.
CATEGORY, SAMPLE, MIN_SAMPLES, WINDOW_MS, STEP_MS, ENOUGH = range(6)
BASELINE, NEEDED, SPAN_WINDOWS, CHUNK_WINDOWS, RULES = range(6, 11)
# Kinds of baselines.
DATASET, FIRST_EVENTS, ROLLING, PERIOD = range(4)
# What is known of one test of one window, in numbers: what its kernel writes, and then …
SURPRISE, THRESHOLD, NUMBERS = range(ANSWER, ANSWER + 3)
# … and in codes.
STATUS, REASON, SEEN, REACHED, P_KIND, CODES = range(6)
OK, DRIFT, LEARNING, NO_DATA = range(4)
NO_REASON, TOO_FEW, NO_BASELINE, NOTHING, TOO_EARLY, NOT_MATERIAL, NOT_SURPRISING, NOT_UNUSUAL, CHANCE = range(9)
# What is known of one window.
BASELINE_N, BASELINE_FROM, BASELINE_TO, PROGRESS, ABOUT = range(5)
NEWEST = 5
"""How many new names of a window are noted."""
FROM_MS, TO_MS, WINDOWS, TIMES = range(4)
# What is remembered of the variation of one test.
COUNT, HEAD, ALARMED, WAITING, MEMORY = range(5)
MOST_WAITING = 64
"""Values that are put into their order one by one when it is needed; with more, all are sorted again."""

EXPECTED, EARLIER, SEASON = TABLE, TABLE + 1, TABLE + 2
"""Where a volume's numbers hold what was expected, from how many earlier windows, and of which season."""

# What is known of a season: how many places it has, how many earlier windows are needed and kept of each, and where its
# places begin in the arrays of all seasons' counts and of how many there were.
PLACES, NEEDED_SEASONS, KEPT, FIRST_COUNT, FIRST_PLACE, SEASON_RULES = range(6)
