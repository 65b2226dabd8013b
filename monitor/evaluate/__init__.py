"""Evaluate: from panes to verdicts."""
