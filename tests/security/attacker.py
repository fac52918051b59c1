"""What an attacker does to a `world`, and what one who holds the database sees."""

import copy
import threading

from sqlalchemy import event, select

from e2ereset.server.tables import Base as ServerBase
from e2ereset.store.tables import Base

API = "/api/v1/"
LOGIN, ME, SEND = API + "login", API + "me", API + "users.2fa.sendEmailCode"
OPEN = {("POST", LOGIN), ("POST", SEND)}  # the routes that take no sign-in
KEY = {"SECRET_KEY": "a key for tests only"}


def error(response):
    """The code of a refusal; None for a success."""
    return response.json.get("errorType") or response.json.get("error")


def again(world, person):
    """An own reset ends the caller's token: sign in anew."""
    person.headers = world.sign_in(person.id)
    return person


def wrong(world, person, times, **options):
    return [error(world.reset(person, code="000000", **options)) for _ in range(times)]


def resend(world, name, headers=None):
    """Ask for a fresh code, and have the worker come by."""
    response = world.client.post(SEND, json={"emailOrUsername": name}, headers=headers)
    world.runtime.worker.run_due()
    return response


def login(world, user, password="pw", **more):
    return world.client.post(LOGIN, json={"user": user, "password": password, **more})


def other_worker(world, app):
    """The same world through another process's eyes."""
    twin = copy.copy(world)
    twin.app, twin.client = app, app.test_client()
    return twin


def at_once(world, person, times, **options):
    """So many resets by as many threads, released together; their answers."""
    barrier, answers = threading.Barrier(times), []

    def ask():
        mine = other_worker(world, world.app)
        barrier.wait(timeout=20)
        answers.append(mine.reset(person, **options))

    threads = [threading.Thread(target=ask) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def statements(world, ask):
    """The texts of the SQL, and the commits, that this call makes."""
    with world.app.app_context():
        engine = world.runtime.transactions.engine
    seen = []

    def note(*args):
        seen.append(args[2] if len(args) > 1 else "COMMIT")

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
        event.remove(engine, "commit", note)
    return seen


def stored(world):
    """All that stands in the database, as text."""
    world.session.rollback()
    tables = [*Base.metadata.sorted_tables, *ServerBase.metadata.sorted_tables]
    return "\n".join(str(tuple(row)) for t in tables for row in world.session.execute(select(t)))


def break_table(engine, name):
    """Have every statement on this table fail from now on."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO gone")


def api_routes(app):
    """(method, path) of every route of the API."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API):
            yield from ((m, rule.rule) for m in rule.methods - {"HEAD", "OPTIONS"})
