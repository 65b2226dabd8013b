"""Slices of labelled events: those that a model got wrong beside the others, with what is stored of their fields."""
