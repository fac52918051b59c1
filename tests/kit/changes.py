"""Every change that a mail tells of has words in every language.

The words come with names in them, so no catalogue shows that one is missing: it would be English.
"""

from e2ereset.jobs.queue import Queue
from e2ereset.languages.patterns import PATTERNS, pattern_of
from e2ereset.pages.history import ACTIONS


def refuse_unknown_changes():
    """Fail where a mail is queued whose words no pattern has made."""
    put = Queue.put

    def put_known(self, session, kind, facts, **options):
        told = {"change": facts.get("change"), "phrase": facts.get("phrase")}
        if facts.get("action") not in ACTIONS:
            del told["phrase"]  # a host's
        for words in filter(None, told.values()):
            known = pattern_of(words)[0] in PATTERNS
            assert known, f"{words!r} is not in e2ereset/languages/patterns.py"
        put(self, session, kind, facts, **options)

    Queue.put = put_known
