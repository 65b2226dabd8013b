"""Certificates: the one that the API shows, those of its clients, and what a client of it trusts."""
