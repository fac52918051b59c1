"""One run: the parts, the people, the traffic with its outages, and the look afterwards."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tests.kit.live import app_of

from .checker import Found, Mail, check, read_found
from .client import Client
from .events import run_events
from .http import Line
from .network import make_network
from .parts import REQUESTS_A_MINUTE, Deployment, deployed
from .people import Person, make_people
from .record import Record
from .states import JOBS
from .summary import summarize
from .traffic import play_one
from .traffic.after import grow

PAUSE = 0.25
"""Seconds between two moves of a client, on average: below the request rate of its address."""
LEASE_SECONDS = 120
"""A mail whose worker died is due again after so long."""


def run(seconds: float, clients: int) -> tuple[list[str], list[str]]:
    """Run it. The lines of the summary, and what is wrong."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="e2ereset-soak-")))
        folder.chmod(0o755)  # PostgreSQL runs as a user of its own
        network = stack.enter_context(make_network())
        print(f"Two hosts in {network.words}. Starting the parts ...", flush=True)
        made = stack.enter_context(deployed(network, folder))
        engine = create_engine(made.database.uri(), poolclass=NullPool)
        with app_of(made.settings) as app:
            groups = make_people(app, clients + 1, max(0.15, seconds / 600))
        record = Record(people=[person for group in groups for person in group])
        print(f"{len(record.people)} people, {clients} clients, {seconds:.0f} s ...", flush=True)
        _drive(made, engine, record, groups, seconds=seconds)
        print("Waiting for the last mails, then checking ...", flush=True)
        _wait_for_mails(engine)
        found = _look(made, engine, record)
    findings = check(record, found)
    words = (
        f"Soak: {seconds / 60:g} minutes, {clients} clients, {len(record.people)} people;"
        f" 2 hosts x 2 workers x 4 threads in {network.words}, one PostgreSQL, one Redis,"
        " nginx in front."
    )
    return list(summarize(record, found, findings, words)), findings


def _drive(
    made: Deployment, engine: Engine, record: Record, groups: list[list[Person]], *, seconds: float
) -> None:
    over = Event()
    clients = [
        Client(
            Line(made.nginx.port, f"127.0.1.{number + 1}"),
            people,
            record=record,
            relay=made.relay,
            engine=engine,
        )
        for number, people in enumerate(groups)
    ]
    record.addresses |= {client.line.address for client in clients}
    *mixed, burst = clients
    threads = [Thread(target=_keep_on, args=(client, over)) for client in mixed]
    threads.append(Thread(target=_burst, args=(burst, over)))
    for thread in threads:
        thread.start()
    try:
        run_events(made, record.outages, seconds)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _keep_on(client: Client, over: Event) -> None:
    try:
        while not over.wait(PAUSE * client.random.random() * 2):
            play_one(client)
        while not client.is_settled:
            time.sleep(1)
            client.settle_due(all_of_them=True)
    except Exception as fault:
        client.record.found(f"the client {client.line.address} ended with {fault!r}")
        raise
    finally:
        client.pool.shutdown()


def _burst(client: Client, over: Event) -> None:
    """Ask until it is too often, after the same number over both hosts; then again.

    The first refusal of a minute leaves an audit row, so the next burst starts a minute later.
    """
    person = client.people[0]
    while not over.wait(1):
        start, allowed = time.time(), 0
        while (answer := client.line.get("me", person.headers)).kind == "200":
            allowed += 1
            if allowed > REQUESTS_A_MINUTE:
                break
        if answer.kind == "429":
            person.state = grow(person.state, refused=1)
        outages = client.record.outages
        asked = answer.kind in ("200", "429")
        counted = answer.end - start < 55 and not outages.during({"redis"}, start, answer.end)
        if asked and counted:
            client.record.bursts.append(allowed)
            if allowed != REQUESTS_A_MINUTE:
                client.record.found(f"wrong answer: {allowed} requests a minute were allowed")
        if not asked and not outages.excuse(answer.kind, start, answer.end):
            client.record.found(f"no answer: a burst got {answer.kind}, in no outage")
        if over.wait(max(0.0, answer.end + 62 - time.time())):
            return


def _wait_for_mails(engine: Engine) -> None:
    open_mails = select(func.count()).where(JOBS.c.due_at.is_not(None))
    deadline = time.time() + LEASE_SECONDS + 60
    while time.time() < deadline:
        try:
            with engine.connect() as connection:
                if not connection.scalar(open_mails):
                    return
        except SQLAlchemyError:
            pass
        time.sleep(1)


def _look(made: Deployment, engine: Engine, record: Record) -> Found:
    time.sleep(2)  # the sealer's turn
    for host in made.hosts:
        host.stop()
    done = made.command("audit", "verify")
    problem = "" if done.returncode == 0 else (done.stdout + done.stderr).strip()
    mails = [Mail.of(arrival) for arrival in made.relay.arrivals]
    with engine.connect() as connection:
        return read_found(connection, record.people, arrivals=mails, audit_problem=problem)
