"""Alerts: from verdicts to the life of an alert, and what people read of it.

A verdict (``verdict``) is what one test says of one window. Those of a window meet conditions over several signals
(``conditions``), then begin, join, move on and end alerts (``lifecycle``) as the model's policy says (``policy``).
Sentences are made of a verdict's fields, once (``wording``).
"""
