"""The catalogues of e2ereset: what texts there are, and the files that hold their translations.

`make words` brings the files up to date: new texts come in without a translation, others go.
"""

from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import e2ereset
from e2ereset.languages.words import OURS

PACKAGE = Path(e2ereset.__file__).parent
METHODS = [("**.py", "python"), ("**/templates/**", "jinja2")]
KEYWORDS = {"t": None, "N_": None, "translate": None}
HEADER = "# The translation of e2ereset. `make words` keeps it up to date.\n"


@cache
def texts():
    """The texts in the code and the templates, and where they are."""
    found = {}
    for file, _line, text, _comments, _context in extract_from_dir(
        PACKAGE, METHODS, keywords=KEYWORDS
    ):
        found.setdefault(text, set()).add(file)
    return found


def po_files():
    return sorted(OURS.glob("*/LC_MESSAGES/e2ereset.po"))


def read(path):
    with path.open("rb") as stream:
        return read_po(stream)


def compiled(catalog):
    made = BytesIO()
    write_mo(made, catalog)
    return made.getvalue()


def bring_up_to_date(path):
    """Write the two files of one language."""
    old = read(path) if path.stat().st_size else Catalog()
    options = {"header_comment": HEADER.strip(), "fuzzy": False, "project": "e2ereset"}
    # Without a time: two people who add texts would meet in that line.
    options |= dict.fromkeys(("creation_date", "revision_date"), datetime(2026, 1, 1, tzinfo=UTC))
    new = Catalog(locale=path.parts[-3], **options)
    for text, files in sorted(texts().items()):
        known = old.get(text)
        new.add(text, known.string if known else "", locations=[(f, None) for f in sorted(files)])
    with path.open("wb") as stream:
        write_po(stream, new, omit_header=False, width=100)
    path.with_suffix(".mo").write_bytes(compiled(read(path)))
    missing = [one.id for one in new if one.id and not one.string]
    print(f"{path.parts[-3]}: {len(new)} texts, {len(missing)} without a translation")


if __name__ == "__main__":
    for po in po_files():
        bring_up_to_date(po)
