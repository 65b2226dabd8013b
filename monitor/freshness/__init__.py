"""Whether events still come, by the clock: what is silent for longer than its own gaps allow is alerted about."""
