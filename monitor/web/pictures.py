"""Pictures by links, for channels that show them from addresses alone: the link is what is asked for."""

from __future__ import annotations

from threading import BoundedSemaphore

from fastapi import APIRouter, Request, Response

from monitor.api.contract import ApiService
from monitor.api.parameters import TheService
from monitor.api.problems import ProblemError
from monitor.pictures.links import PATH, PictureSeals
from monitor.pictures.pictures import PictureOf, Pictures
from monitor.web.page import page
from sinks.receivers.contract import Picture

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

SHOWN_ELSEWHERE = {"Cache-Control": "private, max-age=86400", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Pages of a channel show it; it stays as it was when the alert was notified."""

AT_ONCE = 6
"""Pictures that are drawn at once: whoever has a link asks without a name, and may not keep others waiting."""

_drawing = BoundedSemaphore(AT_ONCE)

GONE = "Either this picture's link is over, or it was never one."


@router.get(PATH + "/{sealed}")
def show_picture(request: Request, service: TheService, sealed: str) -> Response:
    links = service.configuration.service.spec.pictures
    now_s = service.clock.now_ms() // 1000
    meant = None if links is None else PictureSeals(links.key.get_secret_value()).open(sealed, now_s)
    picture = None if meant is None else _drawn(service, meant)
    if picture is None:
        return page(request, "missing.html", 404, detail=GONE)
    return Response(picture.png, media_type="image/png", headers=SHOWN_ELSEWHERE)


def _drawn(service: ApiService, meant: PictureOf) -> Picture | None:
    if not _drawing.acquire(blocking=False):
        raise ProblemError("busy", f"{AT_ONCE} pictures are being drawn")
    try:
        return Pictures(service.store, service.watches).of(meant)
    finally:
        _drawing.release()
