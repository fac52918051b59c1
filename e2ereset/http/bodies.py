"""The body of a request: all of it, or a refusal. Nothing unreadable passes for an empty one.

`read` takes the bytes to their end, once, and never refuses by itself, so that a route can answer
401 first. `Body.parsed` makes an object of them, or says what is wrong with them (SPEC 1).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NoReturn
from urllib.parse import parse_qsl

from flask import Request, Response, request, request_started
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import RequestEntityTooLarge

from e2ereset.errors import InvalidParams

JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"
UTF_8 = {"", "utf-8", "utf8"}
MOST_FIELDS = 100
PIECE = 64 * 1024
IN_MEMORY = 1024 * 1024
KEY = "e2ereset.body"
"""Where a request keeps its body once it is read."""
STRICT_SERVERS = ("waitress", "WSGIServer", "Werkzeug")
SETTLED = "e2ereset.settled"
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
CUT = "body must have all the bytes that were announced, and no more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """All bytes of a body and how they are written, or what kept them from being read."""

    raw: bytes = field(default=b"", repr=False)
    kind: str = ""
    """Its media type, such as `application/json`; empty without one."""
    charset: str = ""
    coding: str = ""
    fault: InvalidParams | RequestEntityTooLarge | None = None
    """Why the bytes are not to be had: then nobody knows where the next request begins."""

    @property
    def is_form(self) -> bool:
        """Whether it says that it is a form, as a page of any site can send one."""
        return self.kind == FORM_TYPE

    def parsed(self) -> dict[str, Any]:
        """The body as an object; {} when no byte was announced, whatever the type says.

        Raises InvalidParams for a body that was cut off or badly framed, is in another coding or
        of another type, does not parse to exactly what was sent, or is no object; werkzeug's 413
        when it is longer than E2ERESET_MAX_BODY_BYTES.
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
    """The body of this request, taken to its end at the first call; at most `limit` bytes of it.

    Whoever parses the request afterwards finds the same bytes; none when they are at fault.
    """
    environ = request.environ
    if KEY not in environ:
        body = environ[KEY] = _take(request, limit)
        environ["wsgi.input"], environ["wsgi.input_terminated"] = BytesIO(body.raw), True
    found: Body = environ[KEY]
    return found


def settle() -> None:
    """Have the body of this request come to its end now, and leave it for the view to read.

    For views of a host, of which we know neither the limit nor the form: a long one waits in a
    file. Raises InvalidParams for one that is cut off; werkzeug's 413 by the host's own limit.
    """
    environ = request.environ
    if KEY in environ or "stream" in vars(request):
        return
    announced, limit = _announced(environ), request.max_content_length
    most = announced if announced is not None else limit
    if limit is not None and announced is not None and announced > limit:
        raise RequestEntityTooLarge()
    kept = environ[SETTLED] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - see below
    for piece in _pieces(environ["wsgi.input"], most, look_on=_can_look_on(environ)):
        kept.write(piece)
    if announced is not None and kept.tell() != announced:
        raise InvalidParams(CUT)
    if limit is not None and kept.tell() > limit:
        raise RequestEntityTooLarge()
    kept.seek(0)
    environ["wsgi.input"], environ["wsgi.input_terminated"] = kept, True


def drop_settled(_error: BaseException | None) -> None:
    """Close the file of `settle`, at the end of the request."""
    if kept := request.environ.pop(SETTLED, None):
        kept.close()


def read_first(limit: int, setup: BlueprintSetupState) -> None:
    """Have the bodies of this blueprint's routes read before anything else happens.

    A hook of the host that looks at the form, as those against CSRF do, would take the bytes and
    keep what it makes of them.
    """
    name = f"{setup.name_prefix}.{setup.name}".lstrip(".")
    request_started.connect(partial(_read_one_of, name, limit), setup.app, weak=False)


def fields_in_address() -> set[str]:
    """The names that the query of the address holds, whatever bytes are in it."""
    query = request.query_string.decode("utf-8", "replace")
    return {name for name, _ in parse_qsl(query, keep_blank_values=True)}


def close_after_fault(response: Response) -> Response:
    """Say that the connection ends where the next request could not be found on it.

    PEP 3333 leaves that header to the server. gunicorn looks at its own account of the request,
    most others do as they are told, some answer 500 or say it twice: those are not told.
    """
    body, server = request.environ.get(KEY), request.environ.get("SERVER_SOFTWARE", "")
    if body and body.fault and not server.startswith(STRICT_SERVERS):
        response.headers["Connection"] = "close"
    return response


def _read_one_of(blueprint: str, limit: int, _sender: object, **_options: object) -> None:
    if request.blueprint == blueprint:
        read(limit)


def _take(asked: Request, limit: int) -> Body:
    try:
        raw = _bytes(asked, limit)
    except (InvalidParams, RequestEntityTooLarge) as fault:
        return Body(fault=fault)
    return Body(
        raw=raw,
        kind=asked.mimetype,
        charset=asked.mimetype_params.get("charset", "").lower(),
        coding=asked.headers.get("Content-Encoding", "").strip().lower(),
    )


def _bytes(asked: Request, limit: int) -> bytes:
    announced = _announced(asked.environ)
    if announced is not None and announced > limit:
        raise RequestEntityTooLarge()
    most = limit if announced is None else announced
    raw = b"".join(_pieces(_stream(asked), most, look_on=_can_look_on(asked.environ)))
    if announced is not None and len(raw) != announced:
        raise InvalidParams(CUT)
    if len(raw) > limit:
        raise RequestEntityTooLarge()
    if not raw and announced is None and "stream" in vars(asked):
        raise InvalidParams(CUT)  # somebody has begun to read, and nothing says what there was
    return raw


def _announced(environ: Mapping[str, Any]) -> int | None:
    """How many bytes the headers announce; None when the server finds the end by itself."""
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
    # Longer numbers are not even read: Python refuses those with thousands of digits.
    return int(length[-20:]) if len(length.lstrip("0")) <= 20 else 10**20


def _stream(asked: Request) -> IO[bytes]:
    # Where somebody has begun to read, what they keep of it is all that there is.
    if "stream" in vars(asked):
        return BytesIO(asked.get_data())
    stream: IO[bytes] = asked.environ["wsgi.input"]
    return stream


def _can_look_on(environ: Mapping[str, Any]) -> bool:
    """Whether to read on at the end of what was announced would not wait for ever."""
    return bool(environ.get("wsgi.input_terminated")) or isinstance(environ["wsgi.input"], BytesIO)


def _pieces(stream: IO[bytes], most: int | None, *, look_on: bool) -> Iterator[bytes]:
    """At most `most` bytes of the stream (None: all), and with `look_on` one more if there is."""
    left = math.inf if most is None else most + look_on
    while left > 0:
        try:
            piece = stream.read(int(min(left, PIECE)))
        except Exception:  # each server has errors of its own for a client that is gone or lies
            raise InvalidParams(CUT) from None
        if not piece:
            return
        left -= len(piece)
        yield piece


def _parse_json(raw: bytes) -> dict[str, Any]:
    try:
        # RecursionError: nested deeper than the parser goes. ValueError: all else that is no JSON.
        parsed = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        raise InvalidParams("body must be valid JSON, with no key twice") from None
    if not isinstance(parsed, dict):
        raise InvalidParams("body must be object")
    return parsed


def _parse_form(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
        if BAD_ESCAPE.search(text):
            raise ValueError
        return _unique(
            parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        )
    except ValueError:
        raise InvalidParams("body must be a valid form, with no field twice") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
