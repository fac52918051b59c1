"""Transactions that wait for each other crosswise."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from databases import only_postgresql

ROUNDS = 10


@only_postgresql
def test_two_administrators_who_reset_each_other_both_succeed(world):
    barrier = Barrier(2, timeout=30)

    def reset(one, other):
        barrier.wait()
        return world.reset(one, {"username": other.username}, code=world.code(one)).status_code

    with ThreadPoolExecutor(2) as pool:
        for n in range(ROUNDS):
            ann, sue = (world.person(f"{name}{n}", roles=["admin"], totp=True) for name in "as")
            found = sorted(pool.map(reset, (ann, sue), (sue, ann)))
            # The second finds that the first has ended its sign-in, or both came in time.
            assert found in ([200, 200], [200, 401])
