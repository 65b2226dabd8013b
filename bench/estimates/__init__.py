"""Estimates of quality without labels, beside what turned out to be true and beside NannyML, on real data of packages.

A model is fitted on the first events of a data set, estimators on the next, and the rest is estimated in chunks
(``tasks``): as it came, and sorted along its widest direction, so that each chunk is of another part of the space.
``python -m bench.estimates`` prints the table of ``docs/estimates.md``.
"""
