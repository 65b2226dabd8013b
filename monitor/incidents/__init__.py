"""Incidents: alerts that share a cause."""
