"""Stores as earlier commits left them: `COMMIT.sql`, with three rows in each of their tables.

Each was written by the code of its commit and dumped with `python -m tests.sinks.store.earlier DIRECTORY`.
`556b72f_88cf1be.sql` was written by the first of the two and opened by the second since, which took migrations of other
names for its own.
"""
