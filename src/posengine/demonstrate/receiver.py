"""A customer's webhook receiver, as small as one can be: takes signed events, counts their ids.

    python -m posengine.demonstrate.receiver SECRET_FILE

    POST /pos       204 where the signature is right, 401 where it is not
    GET  /counts    {"events": ids seen once or more, "repeats": ..., "refused": ...}
    GET  /ids       every id, a line each, in order of arrival

Written from the Standard Webhooks specification and not from the sender: it is a second opinion.
The first line on stdout is the port.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY_SIZE_MAX = 65_536
PREFIX = "whsec_"


def is_genuine(secret: bytes, headers: dict[str, str], body: bytes) -> bool:
    """One of the signatures in the header is ours. Source: Standard Webhooks 1.0.0."""
    covered = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, covered, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(f"v1,{wanted}", one) for one in given)


@dataclass(slots=True)
class Seen:
    """What has arrived."""

    ids: dict[str, int] = field(default_factory=dict)  # id -> times, in order of arrival
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, event_id: str) -> None:
        with self.lock:
            self.ids[event_id] = self.ids.get(event_id, 0) + 1

    def counts(self) -> dict[str, int]:
        with self.lock:
            repeats = sum(self.ids.values()) - len(self.ids)
            return {"events": len(self.ids), "repeats": repeats, "refused": self.refused}


def receiver(secret: bytes, seen: Seen, *, port: int = 0) -> ThreadingHTTPServer:
    """A server on loopback; the caller runs it."""

    class Exchange(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            if not 0 < size <= BODY_SIZE_MAX:
                self._answer(413)
                self.close_connection = True
                return
            body = self.rfile.read(size)
            headers = {name.lower(): value for name, value in self.headers.items()}
            if not is_genuine(secret, headers, body):
                seen.refused += 1
                self._answer(401)
                return
            seen.take(headers["webhook-id"])
            self._answer(204)

        def do_GET(self) -> None:
            if self.path == "/counts":
                self._answer(200, json.dumps(seen.counts()).encode())
            elif self.path == "/ids":
                self._answer(200, "\n".join(list(seen.ids)).encode())
            else:
                self._answer(404)

        def _answer(self, code: int, body: bytes = b"") -> None:
            self.send_response(code)
            if code != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            return  # a line a request would be noise

    return ThreadingHTTPServer(("127.0.0.1", port), Exchange)


def main(arguments: list[str]) -> None:
    """Runs until it is told to stop."""
    text = Path(arguments[0]).read_text(encoding="utf-8").strip()
    server = receiver(base64.b64decode(text.removeprefix(PREFIX)), Seen())
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
