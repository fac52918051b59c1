"""`doctor` of the server: the library's checks, and those of what only the server has."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import or_, select

from e2ereset.cli.doctor import deployment_of, options, report
from e2ereset.doctor import CHECKS
from e2ereset.doctor.database import sqlite_file
from e2ereset.doctor.deployment import Deployment, is_loopback
from e2ereset.doctor.findings import Catalogue, Finding, Part, check, examine
from e2ereset.errors import E2EResetError
from e2ereset.settings import SERVER_PREFIX

from .config import configured_app
from .migrations import find_revisions, heads
from .people.accounts import USERS
from .people.password_hashing import can_verify
from .sessions.tokens import TOKENS
from .settings import SAFE_ALONE, SAFE_BCRYPT_COST, SHORTEST_PASSWORD
from .tables import db

AREA = "server"
PRIVATE = {"secret_key": "secret-key-readable", "config.py": "config-readable"}
WORKER = "e2ereset.server.worker.WholeRequests"
PROXY_HOPS, PUBLIC_URL = f"{SERVER_PREFIX}PROXY_HOPS", f"{SERVER_PREFIX}PUBLIC_URL"
SECRETS = ("SECRET_KEY", "E2ERESET_OPERATIONS_TOKEN", "MAIL_PASSWORD")
ADDRESSES = ("SQLALCHEMY_DATABASE_URI", "RATELIMIT_STORAGE_URI")
STORED = select(USERS.c.password_hash).where(USERS.c.password_hash.is_not(None))
BYPASSING = (
    select(USERS.c.username, TOKENS.c.name)
    .join(TOKENS, TOKENS.c.user_id == USERS.c.id)
    .where(TOKENS.c.bypass_two_factor)
    .order_by(USERS.c.username, TOKENS.c.name)
)
MOST_NAMED = 20
OTHERS = stat.S_IRWXG | stat.S_IRWXO
found = Catalogue("e2ereset.server")


@check(AREA, "migrations", "All migrations have run.", Part.DATABASE)
def migrations(app: Deployment) -> Iterator[Finding]:
    """Whether the database is where this version's migrations lead."""
    with app.database.connect() as connection:
        done = find_revisions(connection)
    if done != heads():
        present, newest = ", ".join(sorted(done)) or "none", ", ".join(sorted(heads()))
        yield found("migrations-behind", present=present, newest=newest)


@check(AREA, "passwords", "Password hashes are slow enough.")
def passwords(app: Deployment) -> Iterator[Finding]:
    """The cost of a password hash, and the length of a password."""
    cost = app.config.get(f"{SERVER_PREFIX}BCRYPT_COST")
    if isinstance(cost, int) and cost < SAFE_BCRYPT_COST:
        yield found("bcrypt-cost-low", cost=cost)
    shortest = app.config.get(f"{SERVER_PREFIX}SHORTEST_PASSWORD", SHORTEST_PASSWORD)
    if isinstance(shortest, int) and shortest < SAFE_ALONE:
        yield found("password-short", shortest=shortest, wanted=SAFE_ALONE)


@check(AREA, "hashes", "Every stored password hash can be verified.", Part.TABLES)
def hashes(app: Deployment) -> Iterator[Finding]:
    """Hashes that came with users from elsewhere, and that no password opens here."""
    with app.database.connect() as connection:
        stored = connection.execution_options(yield_per=1000).scalars(STORED)
        foreign = [hashed for hashed in stored if not can_verify(hashed)]
    if foreign:
        argon2 = any(str(hashed).startswith("$argon2") for hashed in foreign)
        renew = "Give them new ones: e2ereset user password NAME"
        change = "Install e2ereset[argon2]." if argon2 else renew
        yield found("hashes-unknown", count=len(foreign), change=change)


@check(
    AREA,
    "bypass-tokens",
    "No token skips the second factor for everything.",
    Part.TABLES,
    Part.SETTINGS,
)
def bypassing(app: Deployment) -> Iterator[Finding]:
    """The tokens that skip every proof, by their users and names."""
    if not app.known.bypass_tokens:
        return
    lives = or_(TOKENS.c.expires_at.is_(None), TOKENS.c.expires_at > int(app.clock()))
    with app.database.connect() as connection:
        rows = connection.execute(BYPASSING.where(lives)).all()
    if rows:
        named = ", ".join(f"{row.name} of {row.username}" for row in rows[:MOST_NAMED])
        more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
        yield found("tokens-bypass-everything", count=len(rows), named=named + more)


@check(AREA, "proxies", "No proxy is trusted, and one machine serves.")
def proxies(app: Deployment) -> Iterator[Finding]:
    """Whether callers have addresses of their own, and cannot choose them."""
    hops = app.config.get(PROXY_HOPS) or 0
    if hops:
        yield found("proxy-trusted", hops=hops)
    elif app.scale.machines > 1:
        yield found("proxy-untrusted")


@check(AREA, "links", "Mailed links lead to this server.")
def links(app: Deployment) -> Iterator[Finding]:
    """Whether the server knows where people reach it."""
    if not app.config.get(PUBLIC_URL):
        yield found("public-url-missing")


@check(AREA, "slow-clients", "A slow client holds no thread of the server.")
def slow_clients(app: Deployment) -> Iterator[Finding]:
    """Who collects a request before a thread answers it."""
    words = app.environ.get("GUNICORN_CMD_ARGS", "")
    if re.search(r"(--worker-class|-k)\b", words) and WORKER not in words:
        yield found("worker-class-other", ours=WORKER)
    host = app.environ.get("HOST", "127.0.0.1")
    if not is_loopback(host) and not app.config.get(PROXY_HOPS):
        yield found("proxy-none", host=host)


@check(AREA, "files", "Nobody else reads or writes the server's files.")
def modes(app: Deployment) -> Iterator[Finding]:
    """The modes of the instance folder and of the files in it that hold secrets."""
    folder = app.instance
    if folder is None or not folder.is_dir():
        yield found("instance-missing")
        return
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield found("instance-writable")
    if not mode & (stat.S_IXGRP | stat.S_IXOTH):
        return  # nobody else gets to what lies in it
    for name, code in PRIVATE.items():
        if _is_open(folder / name) and _holds_secret(folder / name, app):
            yield found(code)
    file = sqlite_file(app.engine) if app.engine else None
    if file and _is_open(file):
        yield found("database-readable", name=file.name)


CHECKS_OF_SERVER = (migrations, passwords, hashes, bypassing, proxies, links, slow_clients, modes)


@click.command("doctor")
@options
@click.pass_context
def doctor(ctx: click.Context, /, strict: bool, json_output: bool, **run: Any) -> None:
    """Check settings, database, mail, keys, clock and files; exit with 2 on errors."""
    app, refusal = _load(ctx.ensure_object(ScriptInfo))
    with app.app_context():
        engine = _bare_engine(app) if refusal else None
        deployment = deployment_of(app, refusal=refusal, engine=engine, **run)
        findings = examine(deployment, (*CHECKS, *CHECKS_OF_SERVER))
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


def _holds_secret(path: Path, app: Deployment) -> bool:
    """Whether a secret of the configuration stands in the file; deploy/config.py has none."""
    secrets = [*(app.config.get("E2ERESET_SECRET_KEYS") or ()), *map(app.config.get, SECRETS)]
    secrets += [urlsplit(str(app.config.get(name) or "")).password for name in ADDRESSES]
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(str(secret) in text for secret in secrets if secret)


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & OTHERS)
