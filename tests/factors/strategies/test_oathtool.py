"""TOTP against someone else's: the code is made by Debian's oathtool."""

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(
    not shutil.which("oathtool"), reason="oathtool is not installed: apt-get install oathtool"
)


def test_a_code_of_oathtool_resets_the_key(world):
    bob = world.person("bob", totp=True)
    when = f"--now=@{world.clock.now}"
    command = ["oathtool", "--totp", "--base32", when, bob.totp.secret]
    code = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    answer = world.reset(bob, code=code, method="totp")
    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert not world.has_key(bob)
