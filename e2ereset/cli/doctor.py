"""`doctor`: looks at the app, its database, its relay and how it is run; says what to change."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_mailman import Mail
from jinja2 import TemplateNotFound
from limits.storage import storage_from_string
from sqlalchemy import Engine

from e2ereset.doctor import CHECKS
from e2ereset.doctor.deployment import Deployment, Relay, Scale
from e2ereset.doctor.findings import Finding, Level, examine
from e2ereset.guard import passed_by
from e2ereset.runtime import Runtime
from e2ereset.settings import Settings

from .base import as_json, emit, number
from .keys import make_rotation

RELAY_SECONDS = 5.0
WARNED, FAILED = 1, 2
"""Exit statuses: warnings, where `--strict` asks for that, and errors."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of `doctor`."""
    for option in (
        number("--workers", 2, "Workers on each machine.", envvar="WEB_CONCURRENCY"),
        number("--threads", 4, "Threads in each worker."),
        number("--machines", 1, "Machines that serve."),
        click.option("--no-mail", is_flag=True, help="Do not connect to the mail relay."),
        click.option("--strict", is_flag=True, help="Exit with 1 on warnings, too."),
    ):
        command = option(command)
    return as_json(command)


@click.command("doctor")
@options
@with_appcontext
def doctor(strict: bool, json_output: bool, **run: Any) -> None:
    """Check settings, database, mail, keys and clock; exit with 2 on errors."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    report(examine(deployment_of(app, **run), CHECKS), strict=strict, json_output=json_output)


def deployment_of(
    app: Flask,
    *,
    refusal: str = "",
    engine: Engine | None = None,
    no_mail: bool = False,
    **scale: int,
) -> Deployment:
    """The app as the checks see it; with `refusal`, one that did not start, and its engine.

    `scale`: workers, threads and machines. `no_mail`: the relay is not asked.
    """
    runtime: Runtime | None = app.extensions.get("e2ereset")
    return Deployment(
        config=app.config,
        environ=os.environ,
        settings=runtime.settings if runtime else None,
        refusal=refusal,
        engine=runtime.transactions.engine if runtime else engine,
        relay=_relay(app, runtime),
        storage=_storage(app, runtime),
        instance=Path(app.instance_path),
        absent=dict(_absent(app, runtime.settings)) if runtime else {},
        ungated=passed_by(app),
        scale=Scale(**scale),
        rotation=make_rotation(runtime) if runtime else None,
        mail=not no_mail,
        clock=runtime.clock if runtime else time.time,
    )


def report(findings: Iterable[Finding], *, strict: bool, json_output: bool) -> None:
    """Print the findings, the worst last. Exits with 2 on errors, with 1 where `strict` warns."""
    found = sorted(findings, key=lambda finding: finding.level)
    counts = Counter(finding.level for finding in found)
    data = {
        "findings": [{**asdict(f), "level": f.level.name.lower()} for f in found],
        "counts": {level.name.lower(): counts[level] for level in Level},
    }
    emit(data, _lines(found, counts), json_output)
    if counts[Level.ERROR] or (strict and counts[Level.WARNING]):
        raise click.exceptions.Exit(FAILED if counts[Level.ERROR] else WARNED)


def _lines(found: Iterable[Finding], counts: Counter[Level]) -> Iterator[str]:
    for finding in found:
        yield f"{finding.level.name.lower():8} {finding.area:12} {finding.code}: {finding.text}"
        if finding.change:
            yield f"{'':8} -> {finding.change}"
    yield ", ".join(f"{counts[level]} {level.name.lower()}" for level in reversed(Level))


def _relay(app: Flask, runtime: Runtime | None) -> Relay:
    """The settings of the relay, and the backend in Flask-Mailman's words."""
    way = getattr(runtime.mailer.send, "name", "") if runtime else ""
    mail = app.extensions.get("mailman") or Mail.init_mail(app.config, app.testing)
    backend = str(mail.backend).removeprefix("flask_mailman.backends.")
    if way == "flask-mail":
        mail = app.extensions["mail"]
        backend = "dummy" if mail.suppress else "smtp"
    given = app.config.get("MAIL_TIMEOUT")
    return Relay(
        backend="send" if way == "send" else backend,
        server=mail.server,
        port=mail.port,
        username=mail.username,
        password=mail.password,
        starttls=bool(mail.use_tls),
        tls=bool(mail.use_ssl),
        timeout=min(given, RELAY_SECONDS) if isinstance(given, int | float) else RELAY_SECONDS,
    )


def _absent(app: Flask, settings: Settings) -> Iterator[tuple[str, str]]:
    """What settings of the pages name and the app lacks: an endpoint, a template."""
    if (page := settings.sign_in_page) and "/" not in page and page not in app.view_functions:
        yield "E2ERESET_SIGN_IN_PAGE", page
    if base := settings.pages_base:
        try:
            app.jinja_env.get_template(base)
        except TemplateNotFound:
            yield "E2ERESET_PAGES_BASE", base


def _storage(app: Flask, runtime: Runtime | None) -> Any:
    """The store of the request rates; None where it cannot be made."""
    if runtime and app.config.get("RATELIMIT_ENABLED", True):
        return runtime.gates.rates.limiter.storage
    uri = app.config.get("RATELIMIT_STORAGE_URI") or "memory://"
    try:
        return storage_from_string(uri, **app.config.get("RATELIMIT_STORAGE_OPTIONS", {}))
    except Exception:  # what it raises names the address, with its password
        return None
