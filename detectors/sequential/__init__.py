"""Whether one mean lies above another by more than a margin, however often one looks.

An *evidence* is the logarithm of an e-process: a process that is non-negative, begins at 1 and, while the difference of
the means does not exceed the margin, does not grow on average. It ever reaches ``1 / level`` with a probability of
``level`` at most (Ville 1939), so whoever looks after each stratum, and stops when it does, errs no more often than who
looks once. What is compared are strata, such as hours: what differs from hour to hour for both versions alike cancels.

``rates`` has an exact one of counts, ``means`` an asymptotic one of sums; ``bounds`` inverts both to confidence
sequences. :class:`Strata` (``strata``) is what they read.
"""

from __future__ import annotations

from detectors.sequential.bounds import lower_bound, upper_bound
from detectors.sequential.means import LEAST_EVENTS, mean_evidence
from detectors.sequential.rates import rate_evidence
from detectors.sequential.strata import Arm, Strata

__all__ = ["LEAST_EVENTS", "Arm", "Strata", "lower_bound", "mean_evidence", "rate_evidence", "upper_bound"]
