"""`doctor` of the server: the library's checks, and those of what only the server has."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import select

from e2ereset.cli.doctor import ask, options, report, subject_of
from e2ereset.doctor import CHECKS, Area, Check, Finding, Part, Subject, examine
from e2ereset.doctor.deployment import is_loopback
from e2ereset.errors import E2EResetError
from e2ereset.settings import SERVER_PREFIX

from .config import configured_app
from .migrations import find_revisions, heads
from .people.accounts import USERS
from .people.password_hashing import can_verify
from .settings import SAFE_ALONE, SAFE_BCRYPT_COST, SHORTEST_PASSWORD
from .tables import db

AREA = Area("server")
PRIVATE = {"secret_key": "secret-key-readable", "config.py": "config-readable"}
WORKER = "e2ereset.server.worker.WholeRequests"
SECRETS = ("SECRET_KEY", "E2ERESET_OPERATIONS_TOKEN", "MAIL_PASSWORD")
ADDRESSES = ("SQLALCHEMY_DATABASE_URI", "RATELIMIT_STORAGE_URI")
STORED = select(USERS.c.password_hash).where(USERS.c.password_hash.is_not(None))
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@AREA.check("migrations", "All migrations have run.", Part.DATABASE)
def MIGRATIONS(subject: Subject) -> Iterator[Finding]:
    """Whether the database is where this version's migrations lead."""
    with subject.database.connect() as connection:
        done = find_revisions(connection)
    if done != heads():
        present = ", ".join(sorted(done)) or "none"
        yield AREA.error(
            "migrations-behind",
            f"The database is at migration {present}, not at {', '.join(sorted(heads()))}.",
            "Run `e2ereset db upgrade`.",
        )


@AREA.check("passwords", "Password hashes are slow enough.")
def PASSWORDS(subject: Subject) -> Iterator[Finding]:
    """The cost of a password hash, and the length of a password."""
    key = f"{SERVER_PREFIX}BCRYPT_COST"
    cost = subject.config.get(key)
    if isinstance(cost, int) and cost < SAFE_BCRYPT_COST:
        yield AREA.error("bcrypt-cost-low", f"A password is hashed at cost {cost}.", f"{key} = 12")
    key = f"{SERVER_PREFIX}SHORTEST_PASSWORD"
    shortest = subject.config.get(key, SHORTEST_PASSWORD)
    if isinstance(shortest, int) and shortest < SAFE_ALONE:
        yield AREA.note(
            "password-short",
            f"Passwords of {shortest} characters are set; where one can be the only factor, NIST"
            f" SP 800-63B wants {SAFE_ALONE}.",
            f"{key} = {SAFE_ALONE}",
        )


@AREA.check("hashes", "Every stored password hash can be verified.", Part.TABLES)
def HASHES(subject: Subject) -> Iterator[Finding]:
    """Hashes that came with users from elsewhere, and that no password opens here."""
    with subject.database.connect() as connection:
        stored = connection.execution_options(yield_per=1000).scalars(STORED)
        foreign = [hashed for hashed in stored if not can_verify(hashed)]
    argon2 = sum(str(hashed).startswith("$argon2") for hashed in foreign)
    if foreign:
        yield AREA.warning(
            "hashes-unknown",
            f"{len(foreign)} users have a password hash that cannot be verified here.",
            "Install e2ereset[argon2]."
            if argon2
            else "Give them new ones: e2ereset user password NAME",
        )


@AREA.check("proxies", "No proxy is trusted, and one machine serves.")
def PROXIES(subject: Subject) -> Iterator[Finding]:
    """Whether callers have addresses of their own, and can not choose them."""
    key = f"{SERVER_PREFIX}PROXY_HOPS"
    hops = subject.config.get(key) or 0
    if hops:
        yield AREA.note(
            "proxy-trusted",
            f"The last {hops} addresses in X-Forwarded-For are believed.",
            f"Let nobody but these proxies connect, or {key} = 0; have them collect whole requests"
            " (nginx: proxy_request_buffering on)",
        )
    elif subject.fleet.machines > 1:
        yield AREA.warning(
            "proxy-untrusted",
            "Behind a load balancer all callers have its address, and share one request rate.",
            f"{key} = 1",
        )


@AREA.check("slow-clients", "A slow client holds no thread of the server.")
def SLOW_CLIENTS(subject: Subject) -> Iterator[Finding]:
    """Who collects a request before a thread answers it."""
    words = subject.environ.get("GUNICORN_CMD_ARGS", "")
    if re.search(r"(--worker-class|-k)\b", words) and WORKER not in words:
        yield AREA.warning(
            "worker-class-other",
            "As many slow clients as there are threads stop this worker class.",
            f"Leave it to gunicorn.conf.py, or --worker-class {WORKER}",
        )
    host = subject.environ.get("HOST", "127.0.0.1")
    if not is_loopback(host) and not subject.config.get(f"{SERVER_PREFIX}PROXY_HOPS"):
        yield AREA.note(
            "proxy-none",
            f"Clients connect to {host} without a proxy that is known: nothing here speaks TLS or"
            " bounds the connections of one address.",
            "A proxy in front that does both and collects whole requests, see docs/deploy.md",
        )


@AREA.check("files", "Nobody else reads or writes the server's files.")
def FILES(subject: Subject) -> Iterator[Finding]:
    """The modes of the instance folder and of the files in it that hold secrets."""
    folder = subject.instance
    if folder is None or not folder.is_dir():
        yield AREA.note("instance-missing", "There is no instance folder to look at.")
        return
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield AREA.error(
            "instance-writable",
            "Others can put their settings into the instance folder.",
            "chmod 700 on the instance folder",
        )
    if not folder.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH):
        return  # nobody else gets to what lies in it
    for name, code in PRIVATE.items():
        if _is_open(folder / name) and _holds_secret(folder / name, subject):
            yield AREA.error(code, f"Others can read {name}.", f"chmod 600 {name}")
    database = subject.engine and subject.engine.dialect.name == "sqlite" and _file(subject)
    if database and _is_open(database):
        yield AREA.warning(
            "database-readable", "Others can read the SQLite file.", f"chmod 600 {database.name}"
        )


CHECKS_OF_SERVER: tuple[Check, ...] = (MIGRATIONS, PASSWORDS, HASHES, PROXIES, SLOW_CLIENTS, FILES)


@click.command("doctor")
@options
@click.pass_context
def doctor(ctx: click.Context, /, strict: bool, json_output: bool, **run: Any) -> None:
    """Check settings, database, mail, keys, clock and files; exit with 2 on errors."""
    app, refusal = _load(ctx.ensure_object(ScriptInfo))
    with app.app_context():
        engine = _bare_engine(app) if refusal else None
        subject = subject_of(app, refusal=refusal, engine=engine)
        findings = examine(ask(subject, **run), (*CHECKS, *CHECKS_OF_SERVER))
        if engine is not None:
            engine.dispose()
    report(findings, strict=strict, json_output=json_output)


def _load(script: ScriptInfo) -> tuple[Flask, str]:
    """The app, and why it does not start: then it is one that has its configuration alone."""
    script.set_debug_flag = False  # or DEBUG would be off by the time that it is looked at
    try:
        return script.load_app(), ""
    except E2EResetError as error:
        refusal = str(error)
    except Exception as error:  # its text may hold an address with a password
        refusal = f"{type(error).__name__} while starting. `gunicorn wsgi:app` shows where."
    try:
        return configured_app({}), refusal
    except Exception:
        return Flask("e2ereset"), refusal


def _bare_engine(app: Flask) -> Any:
    """The engine of an app that did not start; None where its address is no good."""
    try:
        if "sqlalchemy" not in app.extensions:
            db.init_app(app)
        return db.engine
    except Exception:
        return None


def _file(subject: Subject) -> Path | None:
    name = subject.database.url.database
    return Path(name) if name and name != ":memory:" else None


def _holds_secret(path: Path, subject: Subject) -> bool:
    """Whether a secret of the configuration stands in the file; deploy/config.py has none."""
    keys = subject.config.get("E2ERESET_SECRET_KEYS") or ()
    secrets = [*keys, *(subject.config.get(name) for name in SECRETS)]
    secrets += [urlsplit(str(subject.config.get(name) or "")).password for name in ADDRESSES]
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(str(secret) in text for secret in secrets if secret)


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & OTHERS)
