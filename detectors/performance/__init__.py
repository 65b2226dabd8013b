"""How good predictions are, from integer sums over events and what turned out to be true of them."""

from detectors.performance.delays import hours_until, labelled_within
from detectors.performance.metric import Estimate, Metric, Question
from detectors.performance.metrics import METRICS, estimates
from detectors.performance.naive import LOSSES, Losses, Truth, losses_of, losses_of_field, worths_of
from detectors.performance.schemes import Binary, Multiclass, Ranking, Regression, Scheme
from detectors.performance.skill import Skill, gain_of, skill_of
from detectors.performance.sums import Sums, add_up

__all__ = [
    "LOSSES",
    "METRICS",
    "Binary",
    "Estimate",
    "Losses",
    "Metric",
    "Multiclass",
    "Question",
    "Ranking",
    "Regression",
    "Scheme",
    "Skill",
    "Sums",
    "Truth",
    "add_up",
    "estimates",
    "gain_of",
    "hours_until",
    "labelled_within",
    "losses_of",
    "losses_of_field",
    "skill_of",
    "worths_of",
]
