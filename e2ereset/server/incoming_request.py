"""A request that is still arriving: the bytes so far, and whether they are all.

gunicorn's own parser judges the bytes, so that we and gunicorn always agree.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser

HEAD_END = re.compile(rb"\r\n\r\n|(?<!\r)\n")  # a bare LF: gunicorn refuses the head
IDEMPOTENT = ("GET", "HEAD", "OPTIONS")
LONGEST_CHUNK_LINE = 8190
LONGEST_TRAILERS = 8190


@dataclass(slots=True)
class IncomingRequest:
    """The bytes of one request. `deadline` is on the monotonic clock.

    `is_ready`: a thread can answer it without waiting for the client. `is_sound`: all of it is
    here, well framed, no longer than `longest_body`; else the connection has to end with the
    answer, since nobody knows where the next request would begin.
    """

    cfg: Any
    peer: Any
    longest_body: int
    deadline: float
    data: bytearray = field(default_factory=bytearray)
    head: Any = None
    """The request as gunicorn parsed its head; None until the head is complete."""
    begins: int = 0
    """Where the body begins in `data`."""
    at: int = 0
    """How far `data` has been searched for the end of the head, and then of the chunks."""
    is_ready: bool = False
    is_sound: bool = False
    is_broken: bool = False
    """Whether a chunk is malformed, or more bytes follow than the request announced."""
    is_endless: bool = False
    """Whether a chunk is announced that is longer than any body may be."""

    @property
    def longest_head(self) -> int:
        """More bytes than gunicorn takes for a head."""
        fields = self.cfg.limit_request_fields * (self.cfg.limit_request_field_size + 2)
        return int(fields + self.cfg.limit_request_line)

    @property
    def is_too_long(self) -> bool:
        """Whether more bytes came than any request may have, without its end."""
        if self.is_endless or self.is_ready:
            return self.is_endless
        if self.head is None:
            return len(self.data) > self.longest_head
        return len(self.data) - self.begins > 2 * self.longest_body

    @property
    def waits_for_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self.head is not None and self.head._expected_100_continue and not self.is_ready

    def add(self, piece: bytes) -> None:
        """Add bytes that have just arrived."""
        self.data += piece
        if self.head is None:
            self._look_for_head()
        if self.head is not None and not self.is_ready:
            self._look_for_end()

    def end(self) -> None:
        """The client sends no more."""
        self.is_ready = True

    def _look_for_head(self) -> None:
        found = HEAD_END.search(self.data, max(0, self.at - 3))
        self.at = len(self.data)
        if not found:
            return
        self.begins = self.at = found.end()
        try:
            self.head = next(RequestParser(self.cfg, [bytes(self.data[: self.begins])], self.peer))
        except (ParseException, NoMoreData, StopIteration):
            self.end()  # a thread lets gunicorn answer what is wrong

    def _look_for_end(self) -> None:
        reader = self.head.body.reader
        if isinstance(reader, ChunkedReader):
            if self._skip_chunks():
                self._finish(*self._read_chunks())
        elif reader.length > self.longest_body:
            self.is_ready = True  # refused without being read
        elif len(self.data) - self.begins >= reader.length:
            self._finish(reader.length, self.data[self.begins + reader.length :])

    def _finish(self, length: int, more: bytes | bytearray) -> None:
        # After other methods clients must not pipeline (RFC 9112): the bytes are no second request.
        excess = bool(more.strip(b"\r\n")) and self.head.method not in IDEMPOTENT
        self.is_ready, self.is_broken = True, excess or length < 0
        self.is_sound = not self.is_broken and length <= self.longest_body

    def _skip_chunks(self) -> bool:
        """Whether the last chunk is here, or a malformed one."""
        while (line_end := self.data.find(b"\r\n", self.at)) >= 0:
            size = self.data[self.at : line_end].partition(b";")[0]
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}[ \t]*", size):
                return True
            if not int(size, 16):
                ended = self.data.find(b"\r\n\r\n", line_end) >= 0
                return ended or len(self.data) - line_end > LONGEST_TRAILERS
            self.is_endless = int(size, 16) > self.longest_body
            next_at = line_end + 2 + int(size, 16) + 2
            if next_at > len(self.data):
                return False
            if self.data[next_at - 2 : next_at] != b"\r\n":
                return True
            self.at = next_at
        return len(self.data) - self.at > LONGEST_CHUNK_LINE

    def _read_chunks(self) -> tuple[int, bytes]:
        """The length of the body and what follows it; -1 where gunicorn refuses the chunks."""
        parser = RequestParser(self.cfg, [bytes(self.data)], self.peer)
        try:
            length = len(next(parser).body.read())
        except (ParseException, NoMoreData):
            return -1, b""
        return length, parser.unreader.take_buffered()
