"""Panes: what a short span of events was like, and how it is stored, read and compared."""
