"""Leeway's alarm rule beside NannyML and Evidently, on the same events in the same windows.

Real values are drawn of the streams of ``bench.calibration`` (``logs``). We sum them up to panes (``ours``); the others
get them as they are, in programs of their own (``monitors``, ``nannyml_runs``, ``evidently_runs``).
``python -m bench.calibration.peers`` prints the tables of ``docs/how-often-are-we-wrong.md``.
"""
