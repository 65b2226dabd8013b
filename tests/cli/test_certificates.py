"""The API's certificate: `leeway check` looks at it, `leeway run` takes up a new one, and says when one ends."""

from __future__ import annotations

import json
import signal
import ssl
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.cli.console import MODEL, Console
from tests.service.process import Running
from tests.service.shop import wait_until
from tests.services.certificates import DAY, Authority

SERVICE = """\
apiVersion: leeway/v1
kind: Service
spec:
  models: [model.yaml]
  store: {kind: memory}
  ingest_log: INGEST
  api:
    port: 0
    tls:
      certificate: server.pem
      key: server.key
      client_ca: authority.pem
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Authority(tmp_path).sign_server()
    (tmp_path / "model.yaml").write_text(MODEL.replace("  detect:\n    rules:\n", ""))
    (tmp_path / "leeway.yaml").write_text(SERVICE.replace("INGEST", str(tmp_path / "ingest.log")))
    return tmp_path


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def test_a_certificate_that_can_be_used_is_fine_from_anywhere(folder: Path, leeway: Console) -> None:
    checked = leeway("check", folder / "leeway.yaml")
    assert (checked.code, checked.err) == (0, "")


@pytest.mark.parametrize(
    ("file", "text", "mistake"),
    [
        ("server.pem", None, "10:7: spec.api.tls.certificate: {}/server.pem: No such file or directory"),
        ("server.pem", "x", "10:7: spec.api.tls.certificate: {}/server.pem holds no certificate in PEM"),
        ("server.key", "x", "11:7: spec.api.tls.key: {}/server.key holds no key in PEM that can be used"),
        ("authority.pem", "x", "12:7: spec.api.tls.client_ca: {}/authority.pem holds no certificate in PEM"),
    ],
    ids=["missing", "no certificate", "no key", "no authority"],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    file: str, text: str | None, mistake: str, folder: Path, leeway: Console
) -> None:
    (folder / file).unlink() if text is None else (folder / file).write_text(text)
    checked = leeway("check", folder / "leeway.yaml")
    assert checked.code == 2
    assert f"leeway.yaml:{mistake.format(folder)}" in checked.err
    assert mistake.format(folder) in leeway("run", folder / "leeway.yaml").err


def test_a_key_of_another_certificate_or_an_encrypted_one_is_refused(folder: Path, leeway: Console) -> None:
    _, other = Authority(folder, "another").sign("other", ["other"])
    key = (folder / "server.key").read_bytes()
    (folder / "server.key").write_bytes(other.read_bytes())
    assert "is not the key of the certificate" in leeway("check", folder / "leeway.yaml").err
    (folder / "server.key").write_bytes(encrypted(key))
    assert "the key is encrypted" in leeway("check", folder / "leeway.yaml").err


def encrypted(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    hidden = forms.BestAvailableEncryption(b"secret")
    return forms.load_pem_private_key(key, None).private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, hidden)


def test_that_a_certificate_ends_soon_is_no_mistake_and_is_said(folder: Path, leeway: Console) -> None:
    Authority(folder).sign_server(lasts=timedelta(days=12, hours=1))
    checked = leeway("check", folder / "leeway.yaml")
    assert checked.err == ""
    Authority(folder).sign_server(lasts=timedelta(hours=30))
    checked = leeway("check", folder / "leeway.yaml", "--json")
    (warning,) = json.loads(checked.out)["warnings"]
    assert (checked.code, "in 5 hours: renew it" in warning) == (0, True)
    assert warning in leeway("check", folder / "leeway.yaml").err


def test_the_doctor_looks_at_the_certificate_and_the_issuer(folder: Path, leeway: Console) -> None:
    roles = "roles: {map: {a: viewer}}"
    issuer = f"  access: {{oidc: {{issuer: 'http://127.0.0.1:1', audience: a, {roles}}}}}\n"
    with (folder / "leeway.yaml").open("a") as file:
        file.write(issuer)

    def found() -> dict[str, str]:
        findings = leeway("doctor", folder / "leeway.yaml", "--url", "http://127.0.0.1:1", "--json").lines
        return {each["check"]: each["state"] for each in findings}

    assert (found()["certificate"], found()["issuer"]) == ("fine", "wrong")
    Authority(folder).sign_server(lasts=timedelta(hours=30))
    assert found()["certificate"] == "wrong"


@pytest.mark.slow
def test_a_service_that_runs_says_when_its_certificate_ends_and_takes_up_a_new_one(folder: Path) -> None:
    authority = Authority(folder)
    context = ssl.create_default_context(cafile=str(authority.file))
    authority.sign_server(lasts=DAY + timedelta(hours=1))
    with (
        Running("run", folder / "leeway.yaml") as service,
        httpx.Client(base_url=service.url, verify=context, timeout=60) as client,
    ):
        assert service.url.startswith("https://")

        def states() -> list[str]:
            rows = client.get("/v1/alerts", params={"model": "_leeway"}).json()["items"]
            return [row["state"] for row in rows if row["labels"]["alertname"] == "certificate_renewal"]

        wait_until(lambda: states() == ["firing"], "the alert fires")
        assert "leeway_http_certificate_expires_seconds 3" in client.get("/metrics").text
        authority.sign_server(lasts=90 * DAY)
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: states() == ["resolved"], "it is over")
        assert client.get("/readyz").status_code == 200
