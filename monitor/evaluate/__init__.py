"""Evaluate: from panes to verdicts, scores and transitions of alerts.

``loop`` asks every model in turn (``evaluate``) for the windows that all partitions have closed (``horizon``). Their
panes go to every kind of series (``kinds``: distributions in ``series``, ``volume``), which compare them with what is
usual (``baselines``, ``variation``, ``alarm_rule``). ``backtest`` does the same with stored panes and another
configuration, and writes nothing.
"""
