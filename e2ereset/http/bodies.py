"""Reads the whole body of a request, or refuses it. An unreadable body never counts as empty.

`read` reads the bytes to their end, once, and never refuses by itself, so that a route can answer
401 first. `Body.parsed` makes an object of the bytes, or says what is wrong with them (SPEC 1).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NoReturn
from urllib.parse import parse_qsl

from flask import Request, Response, request, request_started
from flask.sansio.app import App
from werkzeug.exceptions import RequestEntityTooLarge

from e2ereset.errors import InvalidParams

JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"
UTF_8 = {"", "utf-8", "utf8"}
STRICT_FORM = partial(
    parse_qsl, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=100
)
PIECE = 64 * 1024
IN_MEMORY = 1024 * 1024
KEY = "e2ereset.body"
"""The key in the WSGI environment under which the body is kept after it was read."""
STRICT_SERVERS = ("waitress", "WSGIServer", "Werkzeug")
SETTLED = "e2ereset.settled"
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
CUT = "body must have all the bytes that were announced, and no more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """All bytes of a body and their format, or the fault that prevented reading them."""

    raw: bytes = field(default=b"", repr=False)
    kind: str = ""
    """Its media type, such as `application/json`; empty without one."""
    charset: str = ""
    coding: str = ""
    fault: InvalidParams | RequestEntityTooLarge | None = None
    """Why the bytes could not be read. Then nobody knows where the next request begins."""

    @property
    def is_form(self) -> bool:
        """Whether it is sent as a form. A page of any other site can send a form."""
        return self.kind == FORM_TYPE

    def parsed(self) -> dict[str, Any]:
        """The body as an object; {} when no byte was announced, whatever its content type.

        Raises InvalidParams for a body that was cut off or badly framed, has another coding or
        content type, is malformed, has a key twice, or is no object. Raises werkzeug's 413 for a
        body that is longer than E2ERESET_MAX_BODY_BYTES.
        """
        if self.fault:
            raise self.fault
        if not self.raw:
            return {}
        if self.coding not in ("", "identity") or self.charset not in UTF_8:
            raise InvalidParams("body must be UTF-8 without a content coding")
        if self.kind == FORM_TYPE:
            return _parse_form(self.raw)
        if self.kind == JSON_TYPE:
            return _parse_json(self.raw)
        raise InvalidParams(f"body must be {JSON_TYPE} or {FORM_TYPE}")


def read(limit: int) -> Body:
    """The body of this request; the first call reads it to its end, at most `limit` bytes.

    Code that parses the request afterwards gets the same bytes, or none if there was a fault.
    """
    environ = request.environ
    if KEY not in environ:
        body = environ[KEY] = _take(request, limit)
        environ["wsgi.input"], environ["wsgi.input_terminated"] = BytesIO(body.raw), True
    found: Body = environ[KEY]
    return found


def settle() -> None:
    """Read the body of this request to its end, and keep it for the view to read again.

    This is for views of a host, whose limit and format we do not know: a long body is kept in a
    file. Raises InvalidParams for a body that is cut off, and werkzeug's 413 by the host's limit.
    """
    environ = request.environ
    if KEY in environ or "stream" in vars(request):
        return
    kept = environ[SETTLED] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
    _copy(environ, environ["wsgi.input"], kept, request.max_content_length)
    kept.seek(0)
    environ["wsgi.input"], environ["wsgi.input_terminated"] = kept, True


def drop_settled(_error: BaseException | None) -> None:
    """Close the file that `settle` made, at the end of the request."""
    if kept := request.environ.pop(SETTLED, None):
        kept.close()


def read_first(app: App, blueprint: str, limit: int) -> None:
    """Read the bodies of this blueprint's routes before anything else does.

    A hook of the host that reads the form, as CSRF protection does, would consume the bytes.
    """
    request_started.connect(partial(_read_one_of, blueprint, limit), app, weak=False)


def fields_in_address() -> set[str]:
    """The names in the query string, whatever bytes it has."""
    query = request.query_string.decode("utf-8", "replace")
    return {name for name, _ in parse_qsl(query, keep_blank_values=True)}


def close_after_fault(response: Response) -> Response:
    """Close the connection if the start of the next request cannot be found on it.

    PEP 3333 leaves this header to the server. gunicorn decides by itself, most other servers obey
    the header, and some answer 500 or send it twice: for those it is not set.
    """
    body, server = request.environ.get(KEY), request.environ.get("SERVER_SOFTWARE", "")
    if body and body.fault and not server.startswith(STRICT_SERVERS):
        response.headers["Connection"] = "close"
    return response


def _read_one_of(blueprint: str, limit: int, _sender: object, **_options: object) -> None:
    if request.blueprint == blueprint:
        read(limit)


def _take(asked: Request, limit: int) -> Body:
    # If other code began to read, only the bytes that it kept are left.
    begun, kept = "stream" in vars(asked), BytesIO()
    try:
        stream = BytesIO(asked.get_data()) if begun else asked.environ["wsgi.input"]
        announced = _copy(asked.environ, stream, kept, limit)
        if begun and announced is None and not kept.tell():
            raise InvalidParams(CUT)  # nothing tells whether there was a body
    except (InvalidParams, RequestEntityTooLarge) as fault:
        return Body(fault=fault)
    return Body(
        raw=kept.getvalue(),
        kind=asked.mimetype,
        charset=asked.mimetype_params.get("charset", "").lower(),
        coding=asked.headers.get("Content-Encoding", "").strip().lower(),
    )


def _announced(environ: Mapping[str, Any]) -> int | None:
    """The number of bytes that the headers announce; None when the server itself finds the end."""
    length, coding = environ.get("CONTENT_LENGTH") or "", environ.get("HTTP_TRANSFER_ENCODING")
    terminated = environ.get("wsgi.input_terminated")
    if coding is not None:
        if coding.strip().lower() != "chunked" or length or not terminated:
            raise InvalidParams("body must have a Content-Length, or come in chunks")
        return None
    if not length:
        return None if terminated else 0
    if not (length.isascii() and length.isdigit()):
        raise InvalidParams("Content-Length must be a number")
    # Longer numbers are not parsed: Python raises for numbers with thousands of digits.
    return int(length[-20:]) if len(length.lstrip("0")) <= 20 else 10**20


def _copy(
    environ: Mapping[str, Any], stream: IO[bytes], kept: IO[bytes], limit: int | None
) -> int | None:
    """Copy the body to its end into `kept`; returns how many bytes the headers announce, or None.

    Raises InvalidParams for a body that is cut off or too long for its headers, and werkzeug's 413
    for one that is longer than `limit` (None: no limit).
    """
    announced = _announced(environ)
    if limit is not None and announced is not None and announced > limit:
        raise RequestEntityTooLarge()
    most = limit if announced is None else announced
    # One byte more shows a body that is too long, where reading on cannot wait for ever.
    ends = environ.get("wsgi.input_terminated") or isinstance(environ["wsgi.input"], BytesIO)
    left = math.inf if most is None else most + bool(ends)
    try:
        while left > 0 and (piece := stream.read(int(min(left, PIECE)))):
            left -= len(piece)
            kept.write(piece)
    except Exception:  # each server has its own errors for a client that is gone or lies
        raise InvalidParams(CUT) from None
    if announced not in (None, kept.tell()):
        raise InvalidParams(CUT)
    if limit is not None and kept.tell() > limit:
        raise RequestEntityTooLarge()
    return announced


def _parse_json(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):  # RecursionError: nested too deep for the parser
        raise InvalidParams("body must be valid JSON, with no key twice") from None
    if not isinstance(parsed, dict):
        raise InvalidParams("body must be object")
    return parsed


def _parse_form(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
        if BAD_ESCAPE.search(text):
            raise ValueError
        return _unique(STRICT_FORM(text))
    except ValueError:
        raise InvalidParams("body must be a valid form, with no field twice") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
