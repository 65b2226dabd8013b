"""The page of the HTTP API: all that the OpenAPI document says, with nothing from elsewhere."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from monitor.api.app import ROUTERS, create_app
from monitor.web import PAGES, reference
from monitor.web.page import NAVIGATION
from tests.api.world import Client, World

HOSTILE = "<script>alert(1)</script> & `<b>x</b>`"
TEXTS = ("summary", "description")


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(World(), routers=(*ROUTERS, *PAGES))


class Tags(HTMLParser):
    """The tags of a page, with what they refer to and what they are named."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.anchors: list[str] = []
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            if name == "id":
                self.anchors.append(value or "")
            elif name in ("href", "src", "action"):
                self.links.add(value or "")


def test_the_page_names_every_operation_parameter_and_field(client: Client) -> None:
    answer, document = client.get("/docs"), client.get("/openapi.json").json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    shown = set(map(unescape, re.findall(r"<code>([^<]*)</code>", answer.text)))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in shown
            assert {parameter["name"] for parameter in operation.get("parameters", ())} <= shown
            assert set(operation.get("requestBody", {}).get("content", {})) <= shown
    for schema in document["components"]["schemas"].values():
        assert set(schema.get("properties", {})) <= shown


def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/docs")
    tags = Tags(answer.text)
    assert tags.names.isdisjoint({"script", "iframe", "object", "form"})
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    # Whatever it refers to is on it, but for the document itself, the style and the bar of all pages; and no two things
    # have one name.
    around = {path for _, path in NAVIGATION} | {link for link in tags.links if link.startswith("/static/")}
    assert {link for link in tags.links if not link.startswith("#")} - around == {"openapi.json"}
    assert {link.removeprefix("#") for link in tags.links} - around - {"openapi.json"} <= set(tags.anchors)
    assert len(tags.anchors) == len(set(tags.anchors))


def test_what_the_document_says_is_text_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    document: dict[str, Any] = create_app(World()).openapi()
    for operation in (each for operations in document["paths"].values() for each in operations.values()):
        operation.update(dict.fromkeys(TEXTS, HOSTILE))
        operation["responses"]["200"] = {"description": HOSTILE, "content": {"text/plain": {"example": HOSTILE}}}
        for parameter in operation.get("parameters", ()):
            parameter.update(description=HOSTILE, schema={"default": HOSTILE, "enum": [HOSTILE]})
    for schema in document["components"]["schemas"].values():
        schema["description"] = HOSTILE
    client = Client(World(), routers=(*ROUTERS, *PAGES))
    monkeypatch.setattr(client.app, "openapi", lambda: document)
    text = client.get("/docs").text
    assert "<script" not in text
    assert "<b>" not in text
    assert "<code>&lt;b&gt;x&lt;/b&gt;</code>" in text


def test_the_page_is_made_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get("/docs")
    monkeypatch.delattr(reference, "_groups")
    assert client.get("/docs").text == first.text
