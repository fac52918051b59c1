"""Reads codes as people type and paste them."""

import unicodedata

LONGEST = 64  # characters; no typed code is longer, even with separators
SEPARATORS = {"Zs", "Zl", "Zp", "Cf", "Pd"}
"""Unicode's categories of spaces, of invisible marks, and of hyphens and dashes."""
MORE_SEPARATORS = set("\t\n\v\f\r.\u02d7\u2043\u2212\u30fc\uff70")
"""Characters that people use as a space or a hyphen, though Unicode says otherwise."""
FULL_WIDTH = range(0xFF01, 0xFF5F)


def plain_code(typed: str) -> str:
    """The code in a typed or pasted text: without separators, its digits as 0 to 9.

    Digits of every script count as digits. "" for a text that is longer than any code.
    """
    if len(typed) > LONGEST:
        return ""
    if typed.isascii() and typed.isalnum():
        return typed
    return "".join(_plain(c) for c in typed if not _separates(c))


def is_digits(code: str, length: int | None = None) -> bool:
    """Whether a plain code has digits only, and this length if one is given."""
    right = length is None or len(code) == length
    return right and code.isascii() and code.isdigit()


def header_text(value: str) -> str:
    """The text of a header, which WSGI decodes as Latin-1 even if the client sent UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _separates(character: str) -> bool:
    return character in MORE_SEPARATORS or unicodedata.category(character) in SEPARATORS


def _plain(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    code = ord(character)
    return chr(code - 0xFEE0) if code in FULL_WIDTH else character
