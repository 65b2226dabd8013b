"""The API of Alertmanager, version 2, over Leeway's alerts: `amtool` and dashboards that speak it work against it.

Others can post their alerts here, as Prometheus does; Leeway's own come from its models, and cannot be posted.
"""
