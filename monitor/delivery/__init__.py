"""Delivery: threads, attempts and patience between a notification and its receiver."""
