"""Control charts: whether a window is beyond what its series usually does, for many windows in order."""
