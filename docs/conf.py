"""How Sphinx builds these pages. `index.md` is the table of contents: each heading, its links."""

import re

HEADING_OR_LINK = re.compile(r"^## (.+)$|\]\(([a-z-]+)\.md\)", re.MULTILINE)

NAMED_BLOCK = re.compile(r"^```(\w+) (.+)$", re.MULTILINE)

project = "e2ereset"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "e2ereset"
html_copy_source = False
# Headings get the anchors that a Git host gives them.
myst_heading_anchors = 3
# What docstrings put between backticks is code.
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
autodoc_default_options = {"members": True}


def contents(index):
    """A toctree for each heading of the index, of the pages that it links to first."""
    groups, seen = {}, set()
    for heading, page in HEADING_OR_LINK.findall(index):
        if heading:
            groups[heading] = pages = []
        elif page not in seen:
            seen.add(page)
            pages.append(page)
    for heading, pages in groups.items():
        yield "\n".join(["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *pages, "```"])


def prepare(_app, docname, source):
    """Sphinx's `source-read`: add what a Git host would show as code.

    The index gets its toctrees; a block gets what stands behind its language as a caption: a
    file, or the machine that it is for.
    """
    if docname == "index":
        source[0] += "\n".join(contents(source[0]))
    source[0] = NAMED_BLOCK.sub(r"```{code-block} \1\n:caption: \2\n", source[0])


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", prepare)
