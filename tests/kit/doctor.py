"""What the tests of `doctor` share: a server fit for production, its report, a mail relay."""

import json
from contextlib import contextmanager

from tests.kit.relay import Relay

STRONG, STRONGER = "Zk3vW9qLrT7uYxBnMd2c-HfGs8Je5PaQ", "p0OiU7yTr4EwQ_sDfGhJ9kLzXcV6bNm2"
SECRETS = (STRONG, STRONGER, "relay-Pa55w0rd", "redis-Pa55w0rd", "database-Pa55w0rd")
PRODUCTION = {
    "TESTING": False,
    "SECRET_KEY": STRONG,
    "MAIL_BACKEND": "smtp",
    "MAIL_SERVER": "127.0.0.1",
    "MAIL_DEFAULT_SENDER": "e2ereset@example.org",
    "RATELIMIT_ENABLED": True,
    "RATELIMIT_STORAGE_URI": "memory://",
    "E2ERESET_SERVER_BCRYPT_COST": 10,
}
ANYWHERE = "0.0.0.0"  # reaches loopback, and does not look like it


class Report:
    """What `doctor --json` said. No report ever holds a secret."""

    def __init__(self, result):
        self.status = result.exit_code
        assert not any(secret in result.output for secret in SECRETS)
        self.findings = {f["code"]: f for f in json.loads(result.output)["findings"]}

    def level(self, code):
        return self.findings[code]["level"] if code in self.findings else None

    @property
    def bad(self):
        return {c for c, f in self.findings.items() if f["level"] in ("warning", "error")}


def ask(app, *args):
    """The report of `doctor` on this server, for one worker unless `args` say otherwise."""
    args = ["doctor", "--json", "--workers", "1", *args]
    return Report(app.test_cli_runner().invoke(args=args))


@contextmanager
def relay(**options):
    """The port of a real mail server, which must get no mail."""
    with Relay(**options) as server:
        yield server.port
    assert server.mails == [], "doctor sends no mail"
