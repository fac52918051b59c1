"""The address of a caller: what proxies and hosts write, and what is counted, kept and logged."""

import logging

import pytest
from flask import request
from werkzeug.middleware.proxy_fix import ProxyFix

from e2ereset import Account, Caller
from e2ereset.addresses import network_of, read_address
from e2ereset.audit.models import AuditRow
from tests.kit.client import LOGIN
from tests.kit.world import World

PROXY = "127.0.0.1"
ADDRESSES = {
    "203.0.113.9": "203.0.113.9",
    "203.0.113.9:50001": "203.0.113.9",
    "203.0.113.9:": "203.0.113.9",
    " 203.0.113.9 ": "203.0.113.9",
    '"203.0.113.9:50001"': "203.0.113.9",
    "2001:db8::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "[2001:DB8:0::1]:443": "2001:db8::1",
    '"[2001:db8::1]:443"': "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "[fe80::1%25eth0]:443": "fe80::1",
    "::ffff:203.0.113.9": "203.0.113.9",
    "[::ffff:203.0.113.9]:50001": "203.0.113.9",
}
GARBAGE = ("unknown", "_hidden", "", " ", "for=203.0.113.9", "proxy.example")
GARBAGE += ("203.0.113", "203.0.113.009", "203.0.113.9:port", "3405803785")
GARBAGE += ("203.0.113.9 is locked, call +1 800 555 0100", "[]:443", "[2001:db8::1")
GARBAGE += ("\u0661.2.3.4", "a" * 4000)


def reached_from(app, forwarded):
    """The address of a request with this X-Forwarded-For."""
    app.add_url_rule("/address", "address", lambda: request.remote_addr)
    return app.test_client().get("/address", headers={"X-Forwarded-For": forwarded}).text


@pytest.fixture
def make_app(make_server, config, engine):
    """Makes a server behind one proxy, with a rate limit."""

    def make(**changes):
        changes = {"E2ERESET_SERVER_PROXY_HOPS": 1, "RATELIMIT_ENABLED": True} | changes
        return make_server(config | changes)

    return make


def statuses(app, forwarded):
    """What requests from these addresses are answered with, one after another."""
    client, body = app.test_client(), {"user": "nobody", "password": "wrong"}
    return [
        client.post(LOGIN, json=body, headers={"X-Forwarded-For": each}).status_code
        for each in forwarded
    ]


@pytest.mark.parametrize(("text", "address"), ADDRESSES.items())
def test_an_address_is_found_in_what_a_proxy_writes(text, address):
    assert read_address(text) == address


@pytest.mark.parametrize("text", [*GARBAGE, None, 3405803785])
def test_what_is_no_address_is_none(text):
    assert read_address(text) == ""


@pytest.mark.parametrize(
    ("address", "prefix", "network"),
    [
        ("203.0.113.9", 64, "203.0.113.9"),
        ("::ffff:203.0.113.9", 64, "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"),
        ("::1", 128, "::1/128"),
        ("", 64, ""),
    ],
)
def test_an_ipv6_address_counts_as_its_network(address, prefix, network):
    assert network_of(address, prefix) == network


@pytest.mark.parametrize("text", GARBAGE[:-2])
def test_garbage_of_a_proxy_leaves_the_address_of_the_proxy(make_app, text):
    assert reached_from(make_app(), text) == PROXY


@pytest.mark.parametrize("forged", ['"', '"1.1.1.1', "1.1.1.1", "1.1.1.1, ,", "\\"])
def test_a_client_cannot_hide_what_the_proxy_adds(make_app, forged):
    assert reached_from(make_app(), f"{forged}, 203.0.113.9:7") == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "prefix", "last"),
    [
        pytest.param("203.0.113.9:{}", 64, 429, id="another port each time"),
        pytest.param("2001:db8::{:x}", 64, 429, id="another address of a network"),
        pytest.param("2001:db8:0:{:x}::1", 64, 401, id="another network"),
        pytest.param("2001:db8:0:{:x}::1", 56, 429, id="another part of a larger network"),
    ],
)
def test_the_rate_is_of_an_address_or_a_network(make_app, address, prefix, last):
    addresses = [address.format(number) for number in range(1, 12)]
    assert statuses(make_app(E2ERESET_IPV6_PREFIX=prefix), addresses) == [401] * 10 + [last]


def test_audit_and_log_have_the_address_without_its_port(make_app, session, clock, caplog):
    world = World(make_app(), session, clock)
    bob = world.person("bob", totp=True)
    with caplog.at_level(logging.INFO, "e2ereset.server.request_log"):
        world.reset(bob, headers={"X-Forwarded-For": "203.0.113.9:50001"})
    assert world.rows(AuditRow)[-1].address == "203.0.113.9"
    assert caplog.records[-1].facts["address"] == "203.0.113.9"


def test_a_caller_of_a_host_keeps_an_address_or_nothing():
    bob = Account(id="1", username="bob")
    assert Caller(account=bob, address="203.0.113.9:50001").address == "203.0.113.9"
    assert Caller(account=bob, address="Your account is locked").address == ""


@pytest.mark.parametrize(
    ("forwarded", "address"), [("_hidden", PROXY), ("203.0.113.9:7", "203.0.113.9")]
)
def test_a_host_behind_proxyfix_has_the_proxy_for_garbage(app, world, forwarded, address):
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)
    bob = world.person("bob", totp=True)
    world.reset(bob, headers={"X-Forwarded-For": forwarded})
    assert world.rows(AuditRow)[-1].address == address


def test_garbage_that_changes_does_not_pass_the_rate(make_server, config, engine):
    app = make_server(config | {"RATELIMIT_ENABLED": True})
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)
    garbage = [f"_hidden{number}" for number in range(11)]
    assert statuses(app, garbage) == [401] * 10 + [429]
