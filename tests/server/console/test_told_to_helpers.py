"""What the console tells whoever helps: no rooms of others, and the shortest reason is enough."""

from e2ereset.server.rooms.models import Room
from tests.kit.pages import browser_of, prove


def test_who_helps_is_told_no_rooms_by_any_page(world, bob):
    boss = world.person("boss", totp=True, roles=("admin",))
    world.room("room-1", bob)
    with world.runtime.transactions.begin() as session:
        session.get(Room, "room-1").name = "secret plans"
    browser, person = browser_of(world, boss), f"/admin/people/{bob.id}"
    path = f"{person}/reset"

    def send():
        plan = browser.get(path).text.split('name="plan" value="')[1][:64]
        return browser.post(path, data={"plan": plan, "reason": "0123456789", "username": "bob"})

    before, led = browser.get(person), send()
    world.sign_in(bob.id)
    changed = prove(browser, led, world.code(boss))
    assert "has changed since you looked" in changed.text
    world.clock.tick(30)
    done = prove(browser, send(), world.code(boss))
    assert done.location == f"{path}/done"
    seen = [browser.get(one).text for one in (person, path, done.location, "/admin/log")]
    seen += [before.text, changed.text, browser_of(world, bob).get("/security/").text]
    assert [page for page in seen if "room-1" in page or "secret plans" in page] == []
    assert not world.has_key(bob)
    other = browser_of(world, world.person("chief", roles=("admin",)))
    assert other.get(done.location).status_code == 404  # it was not theirs
