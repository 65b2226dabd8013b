"""Benchmarks: what Leeway costs, beside what others do for the same job in the same run. See ``docs/benchmarks.md``."""
