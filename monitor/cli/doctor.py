"""``leeway doctor``: what keeps a service from working, and what to do."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from monitor.cli.credentials import Credentials, credentials
from monitor.cli.output import as_json, as_table

if TYPE_CHECKING:
    from monitor.config import Configuration
    from monitor.doctor.finding import Check, Finding
    from monitor.doctor.service import Address

__all__ = ["command"]


@click.command("doctor")
@click.argument("config", type=click.Path())
@click.option("--url", help="Of the running service.  [default: where CONFIG says]")
@credentials
@click.option("--send-test", "test", metavar="RECEIVER", help="Send one notification that says that it is a test.")
@click.option("--json", "json_", is_flag=True, help="One JSON object per finding.")
@click.pass_context
def command(
    ctx: click.Context, config: str, *, url: str | None, credentials: Credentials, test: str | None, json_: bool
) -> None:
    """Look at all that a service with CONFIG needs, whether it runs or not: what is wrong, and what to do.

    Checks run side by side, for 15 s at most; one that fails ends no other. Receivers are connected to, and nothing is
    sent. It ends with 0 if nothing is wrong, with 1 if something is, and with 2 if CONFIG has mistakes.
    """
    from monitor.clock import SystemClock
    from monitor.config import ConfigError
    from monitor.doctor.finding import examine, fine, wrong
    from monitor.logs import log_to_stderr

    log_to_stderr(as_json=json_, quiet=True)
    clock, findings, checks, is_right = SystemClock(), [], _of_machine(), False
    try:
        configuration = _loaded(config)
    except ConfigError as error:
        advice = f"`leeway check {config}` until it is silent; what needs the configuration was not looked at"
        findings += [wrong("configuration", config, str(mistake), advice) for mistake in error.mistakes]
    else:
        is_right = True
        findings.append(fine("configuration", config, f"{len(configuration.models)} models, no mistake"))
        checks |= _of_configuration(configuration, _address(configuration, url, credentials))
        if test is not None:
            from monitor.doctor.receivers import send_test

            findings.append(send_test(configuration, test, clock))
    findings += examine(checks, clock)
    _show(findings, json_=json_)
    if not is_right:
        ctx.exit(2)
    if any(finding.state == "wrong" for finding in findings):
        ctx.exit(1)


def _loaded(config: str) -> Configuration:
    from monitor.check import load

    return load(config)


def _of_machine() -> dict[str, Check]:
    from monitor.doctor import machine

    return {"versions": machine.versions, "limits": machine.limits, "memory": machine.memory}


def _address(configuration: Configuration, url: str | None, credentials: Credentials) -> Address:
    """Return where the service is asked: where it says that it listens, if nobody says otherwise."""
    from monitor.client.connection import headers_with
    from monitor.doctor.service import Address

    api = configuration.service.spec.api
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(api.host, api.host)  # noqa: S104 -- what it listens on
    scheme = "http" if api.tls is None else "https"
    address = (url or f"{scheme}://{host}:{api.port}{api.prefix}").rstrip("/")
    return Address(address, headers_with(credentials.token), credentials.tls.context())


def _of_configuration(configuration: Configuration, address: Address) -> dict[str, Check]:
    from monitor.clock import SystemClock
    from monitor.doctor import kafka, machine, receivers, service, store, trust

    return {
        "files": partial(machine.files, configuration),
        "disk": partial(machine.disk, configuration),
        "service": partial(service.service, address),
        "access": partial(service.access, configuration),
        "certificate": partial(trust.certificate, configuration, SystemClock()),
        "issuer": partial(trust.issuer, configuration, SystemClock()),
        "token": partial(service.token, address),
        "store": partial(store.store, configuration, SystemClock(), address.is_served),
        "kafka": partial(kafka.kafka, configuration),
        "receivers": partial(receivers.receivers, configuration, SystemClock()),
    }


def _show(findings: list[Finding], *, json_: bool) -> None:
    if json_:
        for finding in findings:
            as_json(asdict(finding))
        return
    rows = [[each.state, each.check, each.subject, each.detail] for each in findings]
    as_table(["", "check", "what", "it is so"], rows)
    for finding in findings:
        if finding.state == "wrong":
            click.echo(f"{finding.check} {finding.subject}: {finding.detail}\n  → {finding.advice}")
