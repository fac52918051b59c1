"""Where CI_MAY_SKIP is set, as in CI, a skip is a failure: what is missing shows nothing.

Let through are tests of the other database, and reasons that the variable, a regular expression,
finds.
"""

import os
import re

VARIABLE = "CI_MAY_SKIP"
OF_THE_OTHER_KIND = (
    "PostgreSQL does not take it|about (PostgreSQL|.*SQLite)|one transaction writes|root may"
)


def refuse_skip(report):
    """Make a skip without leave, of a test or a module, a failure."""
    named = os.environ.get(VARIABLE)
    if named is None or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2]
    if not re.search("|".join(filter(None, (OF_THE_OTHER_KIND, named))), reason):
        report.outcome, report.longrepr = "failed", f"{reason} ({VARIABLE} does not name it)"
