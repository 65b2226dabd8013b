"""Pages that are drawn in the browser: what the server sends of each, and the table of them.

The server sends names and which module draws; everything else is asked of the API, as any client would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from monitor.api.health import INDEX
from monitor.web.page import SCRIPTED, page

__all__ = ["ALERTS", "SHELLS", "Shell", "router"]


@dataclass(frozen=True)
class Shell:
    """A page that a module draws.

    Attributes
    ----------
    path : str
        Its address; what stands in braces is given to the module.
    module : str
        ``static/pages/MODULE.js``, whose default export is the component.
    title : str
        Until the module says a better one.
    """

    path: str
    module: str
    title: str


SHELLS: tuple[Shell, ...] = (
    Shell("/", "fleet", "Models"),
    Shell("/access", "access", "Access"),
    Shell("/incidents/{incident}", "incident", "Incident"),
    Shell("/models/{model}", "model", "Model"),
    Shell("/models/{model}/compare", "compare", "Compare"),
    Shell("/models/{model}/configuration", "configuration", "Configuration"),
    Shell("/models/{model}/performance", "performance", "Performance"),
    Shell("/models/{model}/signals/{signal:path}", "signal", "Signal"),
    Shell("/pipeline", "pipeline", "Pipeline"),
    Shell("/rollouts", "rollouts", "Rollouts"),
    Shell("/silences", "silences", "Silences"),
)
"""Every such page. A line here, one in each of the tables of `monitor/api/needs.py`, a module and a test make one."""

ALERTS = Shell("/alerts", "alerts", "Alerts")
"""It also lists alerts for who has no scripts: `monitor.web.alerts` sends it."""

router = APIRouter(include_in_schema=False)

VARY = {"Vary": "Accept"}
"""The same address is a text for whoever does not ask for a page."""


def _add(shell: Shell) -> None:
    async def show(request: Request) -> Response:
        if shell.path == "/" and "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(INDEX, headers=VARY)
        names: dict[str, Any] = request.path_params
        return page(request, "shell.html", headers=VARY, policy=SCRIPTED, shell=shell, names=names)

    router.add_api_route(shell.path, show, name=f"show_{shell.module}")


for _shell in SHELLS:
    _add(_shell)
