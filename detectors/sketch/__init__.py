"""Additive summaries of panes: what numbers and names occurred, in integers whose sums do not depend on their order."""

from detectors.sketch.category import INVALID, CategoryFold, CategoryLayout, CategorySummary, sum_categories
from detectors.sketch.coded import Coded
from detectors.sketch.numeric import (
    NumericFold,
    NumericLayout,
    NumericSummary,
    linear_layout,
    quantile_layout,
    sum_summaries,
    universal_layout,
)

__all__ = [
    "INVALID",
    "CategoryFold",
    "CategoryLayout",
    "CategorySummary",
    "Coded",
    "NumericFold",
    "NumericLayout",
    "NumericSummary",
    "linear_layout",
    "quantile_layout",
    "sum_categories",
    "sum_summaries",
    "universal_layout",
]
