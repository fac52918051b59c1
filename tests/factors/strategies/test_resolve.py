"""How a name in E2ERESET_METHODS becomes a strategy: by class, by name, by entry point."""

import re
import sys

import pytest

from e2ereset import Strategy
from e2ereset.errors import StrategyError
from e2ereset.factors.strategies import EmailStrategy, TotpStrategy, resolve

PARTS = None  # which no strategy here looks at


class Mine(Strategy):
    name = "mine"

    def usable(self, attempt):
        return False

    def verify(self, attempt, code):
        return False


class MyTotp(Mine):
    name = "totp"


def found(*methods, registered=()):
    return [type(s) for s in resolve(methods, PARTS, registered=registered)]


def refused(*methods, registered=()):
    with pytest.raises(StrategyError) as caught:
        found(*methods, registered=registered)
    return str(caught.value)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package that offers strategies as entry points, as pip would."""

    def install(package, name, code="raise RuntimeError('loaded')"):
        folder = tmp_path / package
        info = folder / f"{package}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            f"[e2ereset.strategies]\n{name} = {package}_module:Strategy\n"
        )
        (folder / f"{package}_module.py").write_text(code)
        monkeypatch.syspath_prepend(str(folder))

    yield install
    for module in [m for m in sys.modules if m.endswith("_module")]:
        del sys.modules[module]


def test_the_order_is_that_of_the_configuration():
    assert found("email", "totp", Mine) == [EmailStrategy, TotpStrategy, Mine]


def test_a_name_given_to_the_extension_goes_before_a_built_in():
    assert found("totp", registered=[MyTotp]) == [MyTotp]
    assert found("totp") == [TotpStrategy]


def test_an_entry_point_is_loaded_when_it_is_named(install):
    code = (
        "from e2ereset import Strategy as Base\n"
        "class Strategy(Base):\n    name = 'sms'\n"
        "    def usable(self, attempt): return False\n"
        "    def verify(self, attempt, code): return False\n"
    )
    install("pkg_sms", "sms", code)
    (strategy,) = found("sms")
    assert strategy.name == "sms"


def test_what_is_not_named_is_not_loaded(install):
    install("pkg_bad", "bad")
    assert found("totp") == [TotpStrategy]


def test_two_packages_with_one_name_are_refused_by_their_names(install):
    install("pkg_one", "sms")
    install("pkg_two", "sms")
    assert re.search("pkg_one.*pkg_two|pkg_two.*pkg_one", refused("sms"))


def test_an_unknown_name_lists_the_candidates(install):
    install("pkg_sms", "sms")
    assert "Known: email, mine, passkey, password, sms, totp." in refused("x", registered=[Mine])


def test_two_of_a_name_given_to_the_extension_are_refused():
    assert "Two strategies" in refused("mine", registered=[Mine, type("Other", (Mine,), {})])


def test_a_method_that_stands_twice_is_refused():
    assert "twice" in refused("totp", "totp")


@pytest.mark.parametrize("thing", [object, 5, None, type("Nameless", (Strategy,), {})])
def test_what_is_no_strategy_is_refused(thing):
    assert "e2ereset.Strategy" in refused(thing) or "no name" in refused(thing)


async def late(self, *_):
    return True


def steps(self, *_):
    yield True


@pytest.mark.parametrize("late", [late, steps])
@pytest.mark.parametrize("name", ["usable", "verify", "pending", "challenge"])
def test_a_method_that_does_not_answer_at_once_is_refused(name, late):
    cls = type("Late", (Mine,), {name: late})
    for text in (refused(cls), refused("mine", registered=[cls])):
        assert f"{name} must answer at once" in text


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("verify", lambda self, attempt: True),
        ("verify", lambda self, attempt, code, more: True),
        ("usable", lambda self: True),
        ("pending", lambda self, *, attempt: None),
        ("challenge", None),
    ],
)
def test_a_method_with_other_parameters_is_refused(name, method):
    assert f"Write `def {name}(self, attempt" in refused(type("Odd", (Mine,), {name: method}))


def test_a_static_method_that_fits_is_taken():
    cls = type("Static", (Mine,), {"verify": staticmethod(lambda attempt, code: False)})
    assert found(cls) == [cls]


def test_a_strategy_without_a_method_is_refused():
    cls = type("Half", (Strategy,), {"name": "half", "usable": lambda self, attempt: True})
    assert "lacks verify" in refused(cls)


@pytest.mark.parametrize("fact", ["sends", "fallback"])
def test_a_fact_that_is_no_bool_is_refused(fact):
    assert fact in refused(type("Odd", (Mine,), {fact: "no"}))
