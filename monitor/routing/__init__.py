"""Routing: who is notified, and when."""
