"""Fixtures that several test modules share, and how a run is set up."""

import gc

import pytest
from hypothesis import HealthCheck, settings

from tests.kit.audit import log, sealed  # noqa: F401
from tests.kit.browser import axe, browse, chromium, site  # noqa: F401
from tests.kit.certificates import certificate  # noqa: F401
from tests.kit.changes import refuse_unknown_changes
from tests.kit.commands import done, run, same_environment  # noqa: F401
from tests.kit.compiled import share_compiled
from tests.kit.cookie_host import cookie_host, make_cookie_host  # noqa: F401
from tests.kit.databases import (  # noqa: F401
    connect,
    database_uri,
    host_template,
    make_database,
    postgres_uri,
    served_on,
    template,
)
from tests.kit.host import hears, host, make_host, with_users  # noqa: F401
from tests.kit.jobs import desk  # noqa: F401
from tests.kit.order import refuse_addresses, refuse_sets
from tests.kit.pages import pages  # noqa: F401
from tests.kit.people import ann, boss, get, post  # noqa: F401
from tests.kit.ram import claim_base
from tests.kit.server import (  # noqa: F401
    accounts,
    app,
    clock,
    config,
    engine,
    make_server,
    session,
)
from tests.kit.skips import refuse_skip
from tests.kit.world import admin, bob, eve, with_settings, world  # noqa: F401

COMMON = {
    "deadline": None,  # a busy machine is no fault
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("few", max_examples=15, **COMMON)
settings.register_profile("many", max_examples=200, **COMMON)
settings.load_profile("few")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):  # noqa: F811 - the fixture has the same name
    claim_base(config)
    share_compiled()
    refuse_unknown_changes()
    # Each test leaves an app behind: to look through them all takes a sixth of the run.
    gc.set_threshold(100_000, 50, 100)


def pytest_generate_tests(metafunc):
    refuse_sets(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    refuse_addresses(items)
    for item in items:
        if "database_uri" in item.fixturenames or "make_database" in item.fixturenames:
            item.add_marker("database")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    refuse_skip(report)
    return report


pytest_make_collect_report = pytest_runtest_makereport
