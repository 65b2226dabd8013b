"""What the columns of the alarm rule's arrays hold."""

from __future__ import annotations

INNER, OUTER = 64, 8
GROUPS = INNER + 2 * OUTER
"""Groups into which the values of a number are put: 64 quantiles of its reference, and eight more beyond each end."""

COURSE_DAYS = 8
"""Days of which it is remembered what there was within hours, the one that goes on among them."""

CATEGORIES = 12
"""Names that have a share of their own; the rest share one."""

REFERENCE_DAYS, LAG_DAYS, DAYS = 35, 7, 43
"""Days from which an expectation is learned, days that it does not see yet, and days for which there is room."""

MAGNITUDES = 5
"""Sizes of a shift that the charts look for: a half, 1, 2, 4 and 8 standard deviations of a prediction."""

DIRECTIONS = 2

# A chart: its evidence S, the part h of a shift that the level has absorbed; residuals since its onset, their number,
# and that of windows or days.
EVIDENCE_SUM, ABSORBED, RESIDUALS, RESIDUALS_SEEN, ELAPSED, CHART = range(6)

# Kinds of contrasts: a mean of scores, a share of a number of events, a number of events.
SCORE, RATE, VOLUME = range(3)

# Families of contrasts, whose variances are alike.
LOCATION, SPREAD, RATES, SHARES, VOLUMES, FAMILIES = range(6)

# The two scales at which residuals are watched.
BY_WINDOW, BY_DAY, SCALES = range(3)

# A row: what it is; what one value contributes to its variance, summed over windows, and how many; the variance of its
# expectation, and whether that is too unsure to judge levels by; where it is in its day; an alarm that stands, as the
# size of the shift, and the evidence that it is over.
# Then what an acceptance needs, in the units of expectations: how far the newest window is from what was expected;
# windows since an alarm stands, the sum of how far they are, and the number of those that have a value; the first day
# that is wholly at an accepted level, 0 without one, and the variance that its expectation has by that.
# Windows in an hour; of how many days its series was when it had its first value, plus one, 0 before; recent alarms,
# each of which counts for less from day to day. The most that was expected of an hour of late; what is known of this
# day of the week, and whether residuals began anew when days of the week were first told apart. The evidence that the
# shift of an alarm has stepped back. Whether its level was accepted so far away that it learned anew,
# and how far accepted levels of late are from those before them. The sum of how far windows are since there is any
# evidence that an alarm is over, and their number. Of a share, whether none of the events that there were was counted
# so far, and whether all were. What is expected of its busy hours. The sum of what one value contributes to the
# variance of windows since an alarm stands.
KIND, FAMILY, UNIT_SUM, UNIT_SEEN, UNCERTAINTY, UNSURE, FRESH, STANDING, RECOVERY = range(9)
DEVIATION, STOOD, STOOD_SUM, STOOD_SEEN, ACCEPTED_DAY, ACCEPTED_VARIANCE, IN_HOUR, BEGAN, ALARMS = range(9, 18)
BUSIEST, WEEKDAYS, BEGUN_ANEW, STEP_BACK, RENEWED, ACCEPTED_SHIFT, NEARER_SUM, NEARER_SEEN = range(18, 26)
NEVER, ALWAYS, BUSY, STOOD_UNIT, ROW = range(26, 31)
OF_ALARM = [STANDING, RECOVERY, STEP_BACK, NEARER_SUM, NEARER_SEEN, STOOD, STOOD_SUM, STOOD_SEEN, STOOD_UNIT]

# Days of the week: they do not differ; they do; they do, and this one is not known yet.
ALIKE, TOLD_APART, UNKNOWN = range(3)

# Where a row is in its day: a new day whose step is to come, one whose first residual is to come, or later.
LATER, FIRST_RESIDUAL, NEW_DAY = range(3)

# A row at one scale: the level that it carries, and the variance of that; the components of its variance; the residual
# that it took in last, and the variance of its prediction; how much further than a normal one its tails reach; which
# part of its level the next day has too; how far that residual is from the level, or a day's first from the one before.
# What there is of the standardised residuals just before, and how much more a sum of them in a row varies than one of
# independent ones, as a part of that; what there is of those of the last hours. Squares of today's, and how many; of
# how many degrees of freedom the scale is that they have in common, 0 if they have none; how far further than
# expected days are from their level at each look at a part of them; and the degrees of freedom that their tails show, 0
# if they are not longer than a normal one's.
LEVEL, VARIANCE, CARRY, CARRY_TODAY, LEVEL_VARIANCE, NOISE, STEP, DAY_STEP = range(8)
CALIBRATION, FREEDOM, FREEDOM_FRESH, ZONE, RESIDUAL, TOTAL, STRETCH, OVERNIGHT, ERROR = range(8, 17)
LOOKS = 4
TRAIL, SERIAL, LONG_TRAIL, TODAY, TODAY_SEEN, COMMON, LOOK = range(17, 24)
TAIL_FREEDOM = LOOK + LOOKS - 1
FILTER = TAIL_FREEDOM + 1

# Sums from which the components are learned: products of residuals at lags 0, 1, 2, 3 and long, and their numbers;
# squared standardised residuals; squared steps between days; days; how many residuals lay beyond each of three
# distances, and out of how many; products of these with their trails, short and long; means of a day's squares, the
# squares of these, how far they vary by chance, and their number; squared standardised residuals of parts of days, by
# look, and their numbers; squares of squared standardised residuals.
PRODUCTS = 5
COUNTS = PRODUCTS
SQUARES, SQUARES_SEEN, STEPS, STEPS_SEEN, DAYS_SEEN, BEYOND = range(2 * PRODUCTS, 2 * PRODUCTS + 6)
TAILS = 3
TAILS_SEEN, SERIAL_SUM, LONG_SERIAL_SUM = range(BEYOND + TAILS, BEYOND + TAILS + 3)
DAY_MEANS, DAY_MEANS_SQUARED, DAY_CHANCE, DAY_MEANS_SEEN, LOOK_SQUARES = range(LONG_SERIAL_SUM + 1, LONG_SERIAL_SUM + 6)
LOOKS_SEEN = LOOK_SQUARES + LOOKS - 1
FOURTHS = LOOKS_SEEN + LOOKS - 1
MOMENTS = FOURTHS + 1

# What a day adds up: weighed residuals, weights, the variance of their sum; windows, and their variance by sampling; of
# a spread, the squares of all scores, and of how many; what was expected of its windows, weighed, and those weights.
DAY_SUM, DAY_WEIGHT, DAY_VARIANCE, DAY_WINDOWS, DAY_SAMPLING, DAY_SAMPLED, DAY_SQUARES, DAY_EVENTS = range(8)
DAY_EXPECTED, EXPECTED_WEIGHT, DAY_SUMS = range(8, 11)

# A series: its first row and how many; the day it began, its windows so far; today's largest score by scale; whether
# it alarmed today; days that wait to be learned; windows that repeated the one before, and all of them;
# recent alarms by days, each of which counts for less from day to day; windows since it was there, but of days that
# are off; evidence that its windows repeat themselves, whether an alarm about that stands, and what there is of it by
# the end of a day that has one window only; whether today is off, as by what it was last week; today's largest scores
# up to which people have said what its alarms were, and whether that they were false; days whose alarms they called
# false, each of which counts for less from day to day.
FIRST_ROW, ROWS, FIRST_DAY, WINDOWS_SEEN, HIGHEST, HIGHEST_BY_DAY, ALARMED, WAITING = range(8)
REPEATED, COMPARED, DAY_ALARMS, ABSENT_FOR, REPEATS, STUCK, DAY_REPEATS, IS_OFF = range(8, 16)
MARKED, MARKED_BY_DAY, MARKED_FALSE, FALSE_MARKS, SERIES = range(16, 21)

# A verdict: status, evidence in nats and its threshold; of the strongest chart the row, what is expected of it, and how
# far it is from that, and for how many windows or days; the scale; windows that the signal has had; whether no alarm
# of that row stood when it passed the threshold; of a day's number of events, which is expected as a sum, how many
# there were; of a row that is back from where it had raised no alarm, how far off it was there, NaN of any other.
STATUS, EVIDENCE, THRESHOLD, LEADING_ROW, EXPECTED, SHIFT, SPAN, SCALE, WINDOWS, IS_ANEW, COUNTED = range(11)
FORMER, VERDICT = 11, 12

# Statuses: nothing to say, learning, quiet, an alarm goes on, evidence passed the threshold.
ABSENT, LEARNING, QUIET, STANDS, EXCEEDS = range(5)
