"""Which statements find their partition when the tables are split by user id.

`python -m bench.partitions`, on the server that E2ERESET_TEST_DATABASE names: the tables of users
become 16 hash partitions, calls are made, and what each of them touched is printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import create_engine, text

from .people import calls_with_codes, calls_without_codes
from .scale import ADMIN, World, address, fill, timed

PEOPLE, PARTS = 20_001, 16
SPLIT = {  # table: (the column of the user, the primary key with that column in it)
    "users": ("id", "id"),
    "user_roles": ("user_id", "user_id, role"),
    "emails": ("user_id", "user_id, id"),
    "tokens": ("user_id", "user_id, digest"),
    "subscriptions": ("user_id", "user_id, room_id"),
    "waiting_for_keys": ("user_id", "user_id, room_id"),
    "e2ereset_key_pairs": ("account_id", "account_id"),
    "e2ereset_totp": ("account_id", "account_id"),
    "e2ereset_budgets": ("account_id", "account_id, purpose"),
}
INDEXES = ("tokens (digest)", "users (username_key)")  # what a lookup without the user id needs
TOUCHED = """SELECT regexp_replace(relname, '_p[0-9]+$', '') AS split, count(*)
    FROM pg_stat_user_tables WHERE relname ~ '_p[0-9]+$'
    AND coalesce(idx_scan, 0) + coalesce(seq_scan, 0) > 0 GROUP BY 1 ORDER BY 1"""


def split() -> None:
    """Put every table of users into partitions by user id."""
    engine = create_engine(address(PEOPLE))
    with engine.begin() as connection:
        for name, (column, key) in SPLIT.items():
            for statement in (
                f"ALTER TABLE {name} RENAME TO {name}_whole",
                f"CREATE TABLE {name} (LIKE {name}_whole INCLUDING DEFAULTS, PRIMARY KEY ({key}))"
                f" PARTITION BY HASH ({column})",
                *(
                    f"CREATE TABLE {name}_p{n} PARTITION OF {name}"
                    f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {n})"
                    for n in range(PARTS)
                ),
                f"INSERT INTO {name} SELECT * FROM {name}_whole",
                f"DROP TABLE {name}_whole CASCADE",
            ):
                connection.exec_driver_sql(statement)
        for index in INDEXES:
            connection.exec_driver_sql(f"CREATE INDEX ON {index}")
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    engine.dispose()


def report() -> Iterator[str]:
    """For each kind of call: the tables of which more partitions were touched than its users."""
    world = World(PEOPLE)
    target = world.users[0]
    (own,) = calls_with_codes([world.users[1]])
    (asked,) = calls_without_codes([world.users[2]])
    (admin,) = calls_with_codes([ADMIN])
    kinds = {
        "asked for the second factor": (1, lambda: timed(world, asked, expected=400)),
        "own reset": (1, lambda: timed(world, own)),
        "reset by an administrator": (2, lambda: timed(world, admin, {"username": target})),
    }
    for kind, (users, call) in kinds.items():
        _forget(world)
        call()
        touched = _touched(world)
        wide = ", ".join(f"{name} ({n})" for name, n in touched.items() if n > users)
        yield f"{kind:28} {sum(touched.values()):>4} partitions; in every part: {wide or '-'}"
    world.close()


def _forget(world: World) -> None:
    world.close()  # the connections of the pool have counts that they have not told yet
    with world.database() as connection:
        connection.execute(text("SELECT pg_stat_reset()"))


def _touched(world: World) -> dict[str, int]:
    world.close()
    with world.database() as connection:
        return dict(map(tuple, connection.execute(text(TOUCHED))))


if __name__ == "__main__":
    fill(PEOPLE)
    split()
    for line in report():
        print(line)
