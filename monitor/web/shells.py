"""Pages that are drawn in the browser: what the server sends of each, and the table of them.

The server sends names and which module draws; everything else is asked of the API, as any client would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

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
    questions : tuple of str
        What the module asks of the API first, to the letter: browsers ask it while they fetch the module. A name of the
        address stands in braces.
    """

    path: str
    module: str
    title: str
    questions: tuple[str, ...] = ()

    def asked(self, names: Mapping[str, str]) -> list[str]:
        """Return the questions with the names of an address, and who asks, which every page wants to know.

        Examples
        --------
        >>> Shell("/models/{model}", "model", "Model", ("/v1/series?model={model}",)).asked({"model": "a b~&é"})
        ['/v1/series?model=a+b%7E%26%C3%A9', '/v1/whoami']
        """
        # As `URLSearchParams` writes them, or the browser would not know its own question again.
        written = {name: quote_plus(value, safe="*").replace("~", "%7E") for name, value in names.items()}
        return [question.format(**written) for question in (*self.questions, "/v1/whoami")]


SHELLS: tuple[Shell, ...] = (
    Shell("/", "fleet", "Models", ("/v1/fleet", "/v1/incidents?state=firing&limit=6")),
    Shell("/access", "access", "Access"),
    Shell("/incidents/{incident}", "incident", "Incident"),
    Shell(
        "/models/{model}",
        "model",
        "Model",
        ("/v1/series/summary?model={model}", "/v1/alerts?model={model}&state=firing"),
    ),
    Shell("/models/{model}/compare", "compare", "Compare", ("/v1/series?model={model}",)),
    Shell("/models/{model}/configuration", "configuration", "Configuration"),
    Shell("/models/{model}/performance", "performance", "Performance"),
    Shell("/models/{model}/signals/{signal:path}", "signal", "Signal", ("/v1/series?model={model}&signal={signal}",)),
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
        return page(
            request, "shell.html", headers=VARY, policy=SCRIPTED, shell=shell, names=names, questions=shell.asked(names)
        )

    router.add_api_route(shell.path, show, name=f"show_{shell.module}")


for _shell in SHELLS:
    _add(_shell)
