"""A customer's server on loopback that behaves as badly as it is told.

It keeps every event that it has taken (answered 2xx), in order, and checks each signature as
Standard Webhooks says. ``plan`` decides what happens to the n-th request, from 0: a status, or one
of ``hang``, ``cut`` (close without an answer), ``drip`` (one byte a moment), ``huge`` (an endless
body), ``later`` (429 with Retry-After), ``move`` (302), ``cut-after`` (taken, and cut).
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from posengine.dispatch import Secret, verify

Plan = Callable[[int, str], int | str]


class Receiver:
    """A context manager; ``events`` are (id, body) in the order of being taken."""

    def __init__(
        self,
        secret: str,
        plan: Plan = lambda index, event_id: 200,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.events: list[tuple[str, bytes]] = []
        self.forged = 0
        self.requests = 0
        self.plan = plan
        self.released = threading.Event()
        self._secret = Secret(secret)
        self._lock = threading.Lock()
        receiver = self

        class Customer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that was killed

        self._server = Server(("127.0.0.1", port), Customer)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def ids(self) -> list[str]:
        return [event_id for event_id, _ in self.events]

    def answer(self, customer: BaseHTTPRequestHandler) -> None:
        body = customer.rfile.read(int(customer.headers["Content-Length"]))
        headers = {name.lower(): text for name, text in customer.headers.items()}
        with self._lock:
            index = self.requests
            self.requests += 1
            if not verify(self._secret, headers, body, now_s=time.time()):
                self.forged += 1
                return self.reply(customer, 401)
            action = self.plan(index, headers["webhook-id"])
            if action == "cut-after" or (isinstance(action, int) and 200 <= action < 300):
                self.events.append((headers["webhook-id"], body))
        if isinstance(action, int):
            return self.reply(customer, action)
        self.misbehave(customer, action)

    def reply(self, customer: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
        customer.send_response(status)
        customer.send_header("Content-Length", "0")
        for name, text in headers.items():
            customer.send_header(name.replace("_", "-"), text)
        customer.end_headers()

    def misbehave(self, customer: BaseHTTPRequestHandler, action: str) -> None:
        customer.close_connection = True
        if action == "hang":
            self.released.wait(20)
        elif action == "drip":
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 2000:
                if self.released.wait(0.02):
                    return
                customer.wfile.write(bytes([byte]))
        elif action == "huge":
            customer.send_response(200)
            customer.end_headers()
            for _ in range(4096):
                customer.wfile.write(b"x" * 65536)
        elif action == "later":
            customer.close_connection = False
            self.reply(customer, 429, Retry_After="7")
        elif action == "move":
            customer.close_connection = False
            self.reply(customer, 302, Location=f"http://127.0.0.1:{self.port}/elsewhere")
        else:
            customer.connection.shutdown(socket.SHUT_RDWR)
