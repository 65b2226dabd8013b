"""Ingest: from logs of events to panes."""
