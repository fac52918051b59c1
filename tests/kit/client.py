"""An HTTP client: one request a connection, from an address that it chooses."""

import http.client
import json
import time
from contextlib import closing
from dataclasses import dataclass, field

API = "/api/v1/"
RESET, ME = API + "users.resetE2EKey", API + "me"
LOGIN, LOGOUT = API + "login", API + "logout"
SET_KEYS, SEND_CODE = API + "e2e.setUserPublicAndPrivateKeys", API + "users.2fa.sendEmailCode"


@dataclass(frozen=True)
class Answer:
    """What came back, and when it was asked and answered (epoch seconds). None for no JSON."""

    status: int
    headers: http.client.HTTPMessage
    body: dict | None = field(repr=False)
    start: float
    end: float

    @property
    def error(self):
        return self.body.get("errorType")


@dataclass(frozen=True)
class Client:
    """Asks the server on this port of the loopback."""

    port: int
    address: str = "127.0.0.1"
    timeout: float = 60

    def call(self, method, path, headers=None, json_body=None):
        """Raises OSError, or HTTPException, where nothing came back."""
        body = None if json_body is None else json.dumps(json_body)
        sent = dict(headers or {}) | ({"Content-Type": "application/json"} if body else {})
        start, source = time.time(), (self.address, 0)
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self.timeout, source_address=source
        )
        with closing(connection):
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            raw = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        parsed = json.loads(raw) if is_json else None
        return Answer(response.status, response.headers, parsed, start, time.time())

    def reset(self, headers, target=None, *, code=None, method=None):
        """POST a reset with these headers of a sign-in."""
        proof = {"x-2fa-code": code, "x-2fa-method": method}
        headers = headers | {name: value for name, value in proof.items() if value}
        return self.call("POST", RESET, headers, target)
