"""A code as people see, copy and type it, wherever one is read (SPEC 2, TOTP)."""

import pyotp
import pytest

from e2ereset.typed import plain_code

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
FULL_WIDTH = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in map(chr, range(0x21, 0x7F))})
SPELLINGS = {
    "as apps show it": lambda code: f"{code[:3]} {code[3:]}",
    "NBSP": lambda code: f"{code[:3]}\xa0{code[3:]}",
    "narrow NBSP": lambda code: f"{code[:3]}\u202f{code[3:]}",
    "hyphen": lambda code: f"{code[:3]}-{code[3:]}",
    "non-breaking hyphen": lambda code: f"{code[:3]}\u2011{code[3:]}",
    "minus": lambda code: f"{code[:3]}\u2212{code[3:]}",
    "em dash": lambda code: f"{code[:3]}\u2014{code[3:]}",
    "marks of direction": lambda code: f"\u200e{code}\u200f",
    "Arabic-Indic": lambda code: code.translate(ARABIC),
    "full width": lambda code: f"{code[:3]}-{code[3:]}".translate(FULL_WIDTH),
    "spaces around": lambda code: f"  {code}\t",
}
spelled = pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS.keys())


def in_header(text):
    """What WSGI makes of a header in UTF-8."""
    return text.encode().decode("latin-1")


@spelled
def test_a_totp_code_passes_as_it_is_typed(world, bob, spell):
    assert world.reset(bob, code=in_header(spell(world.code(bob)))).status_code == 200


@spelled
def test_a_mailed_code_passes_as_it_is_typed(world, eve, spell):
    world.reset(eve)
    code = world.mailed_code().replace("-", "")
    assert world.reset(eve, code=in_header(spell(code))).status_code == 200


@pytest.mark.parametrize("name", ["as apps show it", "NBSP", "non-breaking hyphen", "full width"])
def test_a_backup_code_passes_as_it_is_typed(world, bob, name):
    code = SPELLINGS[name](bob.backup_codes[0].lower())
    assert world.reset(bob, code=in_header(code)).status_code == 200


def test_a_space_in_latin_1_is_a_space(world, bob):
    code = world.code(bob)
    assert world.reset(bob, code=f"{code[:3]}\xa0{code[3:]}").status_code == 200


@spelled
def test_a_sign_in_takes_a_code_as_it_is_typed(world, spell):
    carol = world.person("carol", totp=True, password="pw")
    assert world.login("carol", code=spell(world.code(carol))).status_code == 200


@spelled
def test_an_enrolment_is_confirmed_by_a_code_as_it_is_typed(world, spell):
    account, factors = world.account(world.person("dave")), world.runtime.factors
    code = pyotp.TOTP(factors.begin_totp(account).secret).at(world.clock.now)
    assert factors.confirm_totp(account, spell(code))


@pytest.mark.parametrize(
    "typed", ["", "-" * 64, "²²²²²²", "①②③④⑤⑥", "½½½½½½", "\ud800" * 6, "1" * 65, "\uff11" * 10_000]
)
def test_what_is_no_digit_becomes_none(typed):
    assert not plain_code(typed).isdigit() or not plain_code(typed).isascii()
