"""Spans of what the service does, for those who collect traces."""
