"""How good predictions are before their labels come: what is fitted, kept in a file, and worked out of events."""
