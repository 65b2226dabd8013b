"""The alarm rule: whether a signal still does what it does at this hour of the week.

A window is summed up by a few signed numbers, its *contrasts* (``contrasts``): location and spread of a number, shares
of categories, rates, volume. Each has an expectation by hour of the week (``expectation``), and a variance that is made
of sampling, levels that persist and steps between days (``components``). Standardised residuals feed sequential charts
at the scale of windows and of days (``charts``); the charts of a signal are averaged to one score, which a threshold
(``threshold``) turns into an alarm at a stated rate. ``model`` holds all of a model's signals.

A residual is a contrast minus its expectation. A row is one contrast of one series.
"""
