"""Alerts: from verdicts to alerts (``lifecycle``), and from alerts to people (``notify``)."""
