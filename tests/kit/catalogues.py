"""The catalogues of e2ereset: what texts there are, and the files that hold their translations.

`make words` brings the files up to date: new texts come in without a translation, others go.
"""

import ast
import re
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from inspect import getfile
from io import BytesIO
from pathlib import Path
from pkgutil import walk_packages

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import e2ereset
from e2ereset.errors import Refusal
from e2ereset.languages.words import OURS, TEMPLATE

PACKAGE = Path(e2ereset.__file__).parent
METHODS = [("**.py", "python"), ("**/templates/**", "jinja2")]
PLURAL = (1, 2)
KEYWORDS = {"t": None, "N_": None, "translate": None, "counted": PLURAL}
HEADER = "# The translation of e2ereset. `make words` keeps it up to date.\n"


def refusals(base=Refusal):
    """All refusals of ours. Every module is loaded, so that none is missing."""
    if base is Refusal:
        yield base
        for module in walk_packages(e2ereset.__path__, "e2ereset."):
            import_module(module.name)
    for kind in base.__subclasses__():
        if kind.__module__.startswith("e2ereset."):
            yield kind
            yield from refusals(kind)


def told(kind):
    """What a page says of a refusal that is raised without words of its own."""
    return kind.plain or kind.reason


@cache
def words_given():
    """The words that are given where a refusal is raised, if a page shows them: file and node."""
    shown, found = {kind.__name__ for kind in refusals() if not kind.plain}, []
    for path in sorted(PACKAGE.rglob("*.py")):
        code = path.read_text(encoding="utf-8")
        if not re.search(rf"\b({'|'.join(shown)})\([^)]", code):
            continue  # to read all code takes half a second
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", "") in shown:
                found.append((path.relative_to(PACKAGE).as_posix(), node.args[0]))
    return found


@cache
def texts():
    """The texts in the code, the templates and the refusals, and where they are.

    A text with a count is a pair: for one, and for many.
    """
    found = {}
    for file, _line, text, _comments, _context in extract_from_dir(
        PACKAGE, METHODS, keywords=KEYWORDS
    ):
        found.setdefault(text, set()).add(file)
    for file, words in words_given():
        if isinstance(words, ast.Constant):
            found.setdefault(words.value, set()).add(file)
    for kind in refusals():
        file = Path(getfile(kind)).relative_to(PACKAGE).as_posix()
        found.setdefault(told(kind), set()).add(file)
    return found


def first(text):
    return text if isinstance(text, str) else text[0]


def po_files():
    return sorted(OURS.glob("*/LC_MESSAGES/e2ereset.po"))


def read(path):
    with path.open("rb") as stream:
        return read_po(stream)


def translations(message):
    """What a catalogue has of a text: one, or one for each of its plural forms."""
    return (message.string,) if isinstance(message.string, str) else message.string


def compiled(catalog):
    made = BytesIO()
    write_mo(made, catalog)
    return made.getvalue()


def bring_up_to_date(path):
    """Write the two files of one language."""
    old = read(path) if path.stat().st_size else Catalog()
    new = _catalog(locale=path.parts[-3])
    for text, files in sorted(texts().items(), key=lambda one: first(one[0])):
        known = old.get(first(text))
        new.add(text, known.string if known else "", locations=[(f, None) for f in sorted(files)])
    with path.open("wb") as stream:
        write_po(stream, new, omit_header=False, width=100)
    path.with_suffix(".mo").write_bytes(compiled(read(path)))
    missing = [one.id for one in new if one.id and not all(translations(one))]
    print(f"{path.parts[-3]}: {len(new)} texts, {len(missing)} without a translation")


def untranslated():
    """All texts without a translation, for the translators of hosts."""
    made, stream = _catalog(), BytesIO()
    for text in sorted(texts(), key=first):
        made.add(text)
    write_po(stream, made, width=100)
    return stream.getvalue()


def _catalog(**more):
    # Without a time: two people who add texts would meet in that line.
    options = {"header_comment": HEADER.strip(), "fuzzy": False, "project": "e2ereset"}
    options |= dict.fromkeys(("creation_date", "revision_date"), datetime(2026, 1, 1, tzinfo=UTC))
    return Catalog(**options, **more)


if __name__ == "__main__":
    TEMPLATE.write_bytes(untranslated())
    for po in po_files():
        bring_up_to_date(po)
