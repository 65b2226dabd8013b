"""Control charts: whether a window is beyond what its series usually does, for many windows in order."""

from detectors.chart.p_values import p_values

__all__ = ["p_values"]
