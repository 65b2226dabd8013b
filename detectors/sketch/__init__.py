"""Additive summaries of panes: what numbers and names occurred, in integers whose sums do not depend on their order."""

from detectors.sketch.category import INVALID, CategoryFold, CategoryLayout, CategorySummary, sum_categories
from detectors.sketch.coded import Coded
from detectors.sketch.findings import FindingFold, FindingLayout
from detectors.sketch.fourier import FourierLayout, fourier_layout
from detectors.sketch.joint import JointFold, JointLayout
from detectors.sketch.moments import MomentsLayout, moments_layout
from detectors.sketch.numeric import (
    NumericFold,
    NumericLayout,
    NumericSummary,
    quantile_layout,
    share_layout,
    sum_summaries,
    universal_layout,
    usual_layout,
)
from detectors.sketch.projected import ProjectedLayout, bounded_moments_layout
from detectors.sketch.resolution import FEWEST_CELLS, coarse_step, usual_range_of
from detectors.sketch.vector import VectorFold, VectorSummary, sum_vectors

__all__ = [
    "FEWEST_CELLS",
    "INVALID",
    "CategoryFold",
    "CategoryLayout",
    "CategorySummary",
    "Coded",
    "FindingFold",
    "FindingLayout",
    "FourierLayout",
    "JointFold",
    "JointLayout",
    "MomentsLayout",
    "NumericFold",
    "NumericLayout",
    "NumericSummary",
    "ProjectedLayout",
    "VectorFold",
    "VectorSummary",
    "bounded_moments_layout",
    "coarse_step",
    "fourier_layout",
    "moments_layout",
    "quantile_layout",
    "share_layout",
    "sum_categories",
    "sum_summaries",
    "sum_vectors",
    "universal_layout",
    "usual_layout",
    "usual_range_of",
]
