"""Rollouts: a candidate version beside its champion, until the one may stay or has to go.

A rollout is a logged input (`rollout_log`): from which event time on it counts is written down before it does. What
versions did in the same spans of time is read from panes (`sums`), one row for each span and metric; the verdict is a
pure function of these rows (`verdict`). `course` leads rollouts through the windows of a model's evaluation, which
writes what they have become, and whose alerts they share (`notices`).
"""
