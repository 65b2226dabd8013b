"""Leeway: from event streams to verdicts, alerts and their notifications."""
