"""The webhook sink: each entry as one signed POST, in order, over one connection.

    POST /path HTTP/1.1
    webhook-id: <journal id>-<sequence>          the same whenever the entry is sent again
    webhook-timestamp, webhook-signature         see signature.py
    {"type":"entry","id":"...","data":{...}}     data holds the listed fields and no other

    2xx                                 taken
    410, and 4xx except 408 409 425 429     refused: sending it again would not help
    all else, time-outs, cut lines      busy: again later, Retry-After is honoured

A redirect is not followed: it would go where nobody judged the address. Every wait has one
deadline for the whole exchange, so a receiver that drips bytes is as busy as one that is silent.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from posengine.dispatch.address import AddressRefused, Resolve, Target, look_up, resolve_once
from posengine.dispatch.delivery import SinkBusy, SinkRefused
from posengine.dispatch.fields import Serializer
from posengine.dispatch.signature import Secret, signature_header
from posengine.dispatch.subscription import Choice
from posengine.replay import Entry, ReplayPage

ANSWER_SIZE_MAX = 65_536  # bytes of a receiver's answer that are read; nothing in it is needed
BODY_SIZE_MAX = 65_536  # bytes of one event; forty fields of fixed width come to 2 KB
RETRYABLE = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the other side may take."""

    connect_s_max: float = 5.0
    exchange_s_max: float = 10.0
    """From the first byte sent to the last byte read."""


class Webhook:
    """A sink that posts entries to one URL. Close it when done; for one thread.

    Args:
        target: the judged URL.
        serializer: the fields that the customer may have.
        choice: the entries that the customer is to have.
        secrets: newest first.
        clock_ns: wall clock, for the timestamp. monotonic: for deadlines.
        tls: context for https; None for the system's authorities, TLS 1.2 and later.
    """

    pages_unflushed_max = 32  # what a kill repeats at most; the journal's end settles at once

    def __init__(
        self,
        target: Target,
        *,
        serializer: Serializer,
        choice: Choice,
        secrets: Sequence[Secret],
        clock_ns: Callable[[], int],
        monotonic: Callable[[], float],
        waits: Waits | None = None,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = look_up,
    ) -> None:
        self._target = target
        self._serializer = serializer
        self._choice = choice
        self._secrets = tuple(secrets)
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._waits = waits or Waits()
        self._tls = tls
        self._resolve = resolve
        self._line: _Line | None = None

    def take(self, page: ReplayPage) -> int:
        """Post the page's chosen entries one after the other.

        Raises:
            SinkBusy, SinkRefused: at the entry that was not taken.
        """
        taken = 0
        for entry in self._choice.of(page):
            self._post(entry, page, taken)
            taken += 1
        return taken

    def flush(self) -> None:
        """Nothing is kept here."""

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.hang_up()
            self._line = None

    def body(self, entry: Entry, page: ReplayPage) -> bytes:
        """The event as it is sent: the same bytes whenever it is sent."""
        event = {
            "type": "entry",
            "id": f"{page.journal_id}-{entry.sequence}",
            "data": self._serializer.values(entry, page),
        }
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(body) <= BODY_SIZE_MAX
        return body

    def _post(self, entry: Entry, page: ReplayPage, taken: int) -> None:
        body = self.body(entry, page)
        event_id = f"{page.journal_id}-{entry.sequence}"
        timestamp_s = self._clock_ns() // 1_000_000_000
        headers = {
            "Host": self._target.host_header,
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "posengine",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signature_header(self._secrets, event_id, timestamp_s, body),
        }
        try:
            status, reason, retry_after = self._exchange(body, headers)
        except AddressRefused as refused:
            raise SinkBusy(str(refused), sequence=entry.sequence, taken=taken) from refused
        except (OSError, http.client.HTTPException) as error:
            self.close()
            text = f"{type(error).__name__}: {error}"
            raise SinkBusy(text, sequence=entry.sequence, taken=taken) from error
        if 200 <= status < 300:
            return
        text = f"{status} {reason}"
        if 400 <= status < 500 and status not in RETRYABLE:
            raise SinkRefused(text, sequence=entry.sequence, taken=taken)
        raise SinkBusy(
            text,
            sequence=entry.sequence,
            taken=taken,
            retry_after_s=retry_after_s(retry_after, now_s=timestamp_s),
        )

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
        """One request and its answer: status, reason, Retry-After.

        A kept connection that the other side closed meanwhile is replaced once, at once.
        """
        if self._line is not None:
            try:
                return self._line.exchange(body, headers, self._waits.exchange_s_max)
            except (ConnectionError, http.client.BadStatusLine):
                self.close()
        line = _Line.connect(self)
        self._line = line
        result = line.exchange(body, headers, self._waits.exchange_s_max)
        if line.is_over:
            self.close()
        return result

    def open_socket(self) -> socket.socket:
        """A connection to the target's judged address, TLS done where the URL says so."""
        address = resolve_once(self._target, resolve=self._resolve)
        plain = socket.create_connection(
            (address, self._target.port), timeout=self._waits.connect_s_max
        )
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._target.scheme == "http":
            return plain
        context = self._tls or ssl.create_default_context()
        try:
            return context.wrap_socket(plain, server_hostname=self._target.host)
        except BaseException:
            plain.close()
            raise

    @property
    def path(self) -> str:
        """The request line's target."""
        return self._target.path

    @property
    def monotonic(self) -> Callable[[], float]:
        """The clock of deadlines."""
        return self._monotonic


class _Line:
    """A connection, and one deadline for each exchange on it."""

    def __init__(self, connected: socket.socket, path: str, monotonic: Callable[[], float]) -> None:
        self._socket = connected
        self._path = path
        self._monotonic = monotonic
        self._deadline = 0.0
        self.is_over = False
        """The other side closes after this answer, or its answer was not read to the end."""

    @classmethod
    def connect(cls, webhook: Webhook) -> _Line:
        return cls(webhook.open_socket(), webhook.path, webhook.monotonic)

    def exchange(
        self, body: bytes, headers: dict[str, str], exchange_s_max: float
    ) -> tuple[int, str, str]:
        self._deadline = self._monotonic() + exchange_s_max
        connection = http.client.HTTPConnection("unused.invalid")
        connection.sock = self  # speaks HTTP for us; this line keeps the socket and the deadline
        connection.request("POST", self._path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read(ANSWER_SIZE_MAX)
        self.is_over = response.will_close or len(answer) >= ANSWER_SIZE_MAX
        reason = "".join(c if c.isprintable() else "?" for c in response.reason)[:80]
        return response.status, reason, response.getheader("Retry-After") or ""

    # What http.client asks of a socket.

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self.left_s())
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_Drip(self))

    def close(self) -> None:
        """http.client hangs up before it has read the answer; we do it after. See ``is_over``."""

    def hang_up(self) -> None:
        self._socket.close()

    def left_s(self) -> float:
        """Seconds to the deadline. Raises TimeoutError past it."""
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        return left

    def receive(self, buffer: memoryview) -> int:
        self._socket.settimeout(self.left_s())
        return self._socket.recv_into(buffer)


class _Drip(io.RawIOBase):
    """The bytes of a line, each read within what is left of its deadline."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._line.receive(buffer)


def retry_after_s(header: str, *, now_s: float) -> float:
    """Seconds that a Retry-After header asks for: a count or a date; 0 for neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0
