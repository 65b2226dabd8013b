"""Whether Leeway still detects: a canary model with a drift that is known, through the same stages as people's."""
