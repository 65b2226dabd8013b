"""Pages for people: plain ones, without scripts, for where messages lead to; and shells of those that modules draw.

A plain page is a file and a line here. A page that a module draws is a line in `monitor/web/shells.py` and the module.
"""

from __future__ import annotations

from fastapi import APIRouter

from monitor.web import alerts, assets, login, pictures, reference, shells

__all__ = ["PAGES"]

PAGES: tuple[APIRouter, ...] = (
    alerts.router,
    reference.router,
    login.router,
    shells.router,
    assets.router,
    pictures.router,
)
"""Every page, for :func:`monitor.api.app.create_app`."""
