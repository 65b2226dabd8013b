"""How often the alarm rule is wrong: false alarms against the budget, and what is found how soon.

Windows are drawn as the summaries that ingest would store (``draw``, ``panes``), of streams in which nothing changes
(``streams``) or something does (``injections``), and go through what evaluates stored panes (``trial``).
``python -m bench.calibration`` prints the tables of ``docs/how-often-are-we-wrong.md``.
"""
