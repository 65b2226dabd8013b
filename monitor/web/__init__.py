"""Pages for people: plain HTML, without scripts, for where messages lead to. A page is a file and a line here."""

from __future__ import annotations

from fastapi import APIRouter

from monitor.web import alerts, login, reference

__all__ = ["PAGES"]

PAGES: tuple[APIRouter, ...] = (alerts.router, reference.router, login.router)
"""Every page, for :func:`monitor.api.app.create_app`."""
