"""Fixtures of the tests of `doctor`."""

from tests.kit.doctor import make  # noqa: F401
