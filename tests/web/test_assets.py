"""The files that pages load: what is vendored is what its table says, and browsers keep everything for ever."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

import monitor.web
from monitor.api.app import ROUTERS
from monitor.config import Service
from monitor.web import PAGES
from monitor.web.assets import assets, build
from monitor.web.bundle import bundled
from tests.api.world import Client, World, configured, model

STATIC = Path(monitor.web.__file__).with_name("static")
VENDOR = STATIC / "vendor"


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(World(), routers=(*ROUTERS, *PAGES))


def test_what_is_vendored_is_what_the_table_says_to_the_byte_and_has_its_licence() -> None:
    rows = [line.split("|")[1:-1] for line in (VENDOR / "README.md").read_text().splitlines()[7:]]
    cells = {name.strip(): (licence, digest.strip()) for name, _, _, _, licence, digest in rows}
    assert {name: digest for name, (_, digest) in cells.items()} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix in (".js", ".css")
    }
    for licence, _ in cells.values():
        for name in re.findall(r"LICENSE\.\w+", licence):
            assert (VENDOR / name).stat().st_size > 500


def test_a_file_is_sent_packed_and_kept_for_ever(client: Client) -> None:
    path = f"/static/{build()}/vendor/uplot.js"
    packed = client.request("GET", path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.request("GET", path, headers={"Accept-Encoding": "gzip;q=0.0"}).headers
    assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert packed.content == (VENDOR / "uplot.js").read_bytes()
    assert len(gzip.compress(packed.content)) < len(packed.content) / 2
    plain = client.request("GET", path, headers={"Accept-Encoding": "identity"})
    assert ("Content-Encoding" in plain.headers, plain.content) == (False, packed.content)
    assert plain.headers["Content-Type"].startswith("text/javascript")


def test_a_file_that_is_the_same_is_not_sent_again(client: Client) -> None:
    path = "/static/of-another-build/leeway.css"
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.request("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["..%2fpage.py", "%2e%2e%2fpage.py", "vendor/README.md", "vendor/LICENSE.htm", "", "nope.js"]
)
def test_nothing_else_is_sent(name: str, client: Client) -> None:
    assert client.get(f"/static/{build()}/{name}").status_code == 404


def test_below_a_prefix_pages_and_their_files_are_there_too() -> None:
    service = Service.model_validate({"spec": {"api": {"prefix": "/leeway"}}})
    world = World(configuration=replace(configured(model("fraud")), service=service))
    client = Client(world, routers=(*ROUTERS, *PAGES))
    text = client.get("/leeway/models/fraud").text
    addresses = [unescape(address) for address in re.findall(r'(?:href|src)="(/[^"]*)"', text)]
    assert 'data-root="/leeway"' in text
    assert len([address for address in addresses if "/static/" in address]) == 4
    assert "/leeway/v1/series/summary?model=fraud" in addresses
    assert {client.get(address).status_code for address in addresses} == {200}


def test_every_file_that_pages_name_is_there_and_modules_name_only_their_like() -> None:
    for name in filter(lambda name: name.endswith(".js") and not name.startswith("vendor/"), assets()):
        for target in re.findall(r'from "(\.[^"]+)"', assets()[name].content.decode()):
            assert (STATIC / name).parent.joinpath(target).resolve().relative_to(STATIC).as_posix() in assets(), name


def test_all_modules_are_in_one_with_every_line() -> None:
    text = assets()["bundle/pages.js"].content.decode()
    lines = set(text.splitlines())
    for name in filter(lambda name: name.endswith(".js") and not name.startswith(("vendor/", "bundle/")), assets()):
        assert f'"{name}": () => {{' in text
        for line in assets()[name].content.decode().splitlines():
            assert line.startswith(("import ", "export ")) or line in lines, (name, line)


def test_what_modules_export_under_other_names_is_imported_under_others() -> None:
    modules = {
        "a.js": 'import { b as one, c } from "./lib/b.js";\nimport d from "./d.js";\nexport default class A {}\n',
        "lib/b.js": 'import { e } from "../e.js";\nexport async function c() {}\nexport { x as b, c as f };\n',
        "d.js": "const d=()=>{};export{d as default};",
        "e.js": "/*\nexport function gone() {}\n*/\nexport const e = `\n  export const no = 1`;\n",
    }
    text = bundled(modules, "a.js")
    assert 'const { b: one, c } = need("lib/b.js");\nconst { default: d } = need("d.js");\nclass A {}' in text
    assert "return { default: A };" in text
    assert "return { c, b: x, f: c };" in text
    assert "return { default: d };" in text
    assert 'const { e } = need("e.js");' in text
    assert "gone" not in text
    assert "return { e };" in text


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"a.js": 'import { b } from "./b.js";'}, "a.js imports b.js, which there is not"),
        ({"a.js": 'import { b } from "./b.js";', "b.js": 'import { a } from "./a.js";'}, "modules import each other"),
        ({"a.js": "export let a = 1;"}, "a.js has a form of import or export that is not known: 'export let"),
        ({"a.js": 'import * as b from "./a.js";'}, "not known: 'import"),
        ({"a.js": "const a = await import(`./b.js`);"}, "not known: 'import"),
    ],
)
def test_modules_that_cannot_be_one_are_refused(modules: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        bundled(modules, "a.js")


def test_the_wheel_brings_every_file() -> None:
    import tomllib

    patterns = tomllib.loads((STATIC.parents[2] / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {path for pattern in patterns["monitor.web"] for path in STATIC.parent.glob(pattern) if path.is_file()}
    assert {path for path in STATIC.rglob("*") if path.is_file()} <= packed
