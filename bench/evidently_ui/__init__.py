"""The demo's blizzard in Leeway's pages and in Evidently's UI, from the same events.

``python -m bench.evidently_ui`` prints the figures of the table in ``docs/web.md``.
"""
