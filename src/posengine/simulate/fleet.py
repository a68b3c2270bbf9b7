"""Many terminals against one host, each on a connection of its own, in one thread.

    for ever:  sockets that are ready ─▶ Line.take(frame)      ─▶ actions ─▶ send
               pauses that are over   ─▶ Line.resume()
               answers that are late  ─▶ Line.silence(), a new connection

Everything about messages is in ``line.py`` and above; here are sockets, and time, which is handed
in. A fleet ends when every line is done, when nobody can reach the host, or at its deadline.
"""

from __future__ import annotations

import heapq
import selectors
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from posengine.errors import Address
from posengine.simulate.dialect import Dialect
from posengine.simulate.faults import Faults
from posengine.simulate.habits import Shift, work
from posengine.simulate.ledger import Deal
from posengine.simulate.line import Cut, Line
from posengine.simulate.report import Disagreement, Report
from posengine.simulate.terminal import Identity, Options, Terminal

LENGTH_SIZE = 2
RECEIVE_SIZE = 65_536
TICK_S = 0.05  # how often time-outs and progress are looked at
CONNECT_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet is to do."""

    address: tuple[str, int]
    transactions: int  # of all terminals together, shared out evenly
    seed: int = 1
    rate: float = 0.0  # transactions a second of all terminals; 0: as fast as the host answers
    faults: Faults = field(default_factory=lambda: Faults({}))
    options: Options = field(default_factory=Options)
    settles: bool = True
    clears: bool = False
    settle_every: int = 400
    answer_s_max: float = 60.0  # the dialect's time-out
    connect_s_max: float = 10.0
    deadline_s: float = 0.0  # 0: none


@dataclass(slots=True, eq=False)
class _Wire:
    """A line and its socket."""

    line: Line
    index: int
    socket: socket.socket | None = None
    received: bytearray = field(default_factory=bytearray)
    unsent: bytearray = field(default_factory=bytearray)
    is_connecting: bool = False
    trying_since: float | None = None
    is_watched_to_write: bool = False
    is_paused: bool = False


class Fleet:
    """Runs terminals; ``terminals`` and ``report`` say afterwards what they believe."""

    def __init__(
        self,
        plan: Plan,
        identities: Iterable[Identity],
        *,
        dialect: Dialect,
        clock: Callable[[], float],
        progress: Callable[[Report], None] | None = None,
    ) -> None:
        self.plan = plan
        self.report = Report()
        self.dialect = dialect
        self.terminals: list[Terminal] = []
        self._clock = clock
        self._progress = progress
        self._selector = selectors.DefaultSelector()
        self._pauses: list[tuple[float, int]] = []
        self._wires: list[_Wire] = []
        self._reconnects: list[tuple[float, int]] = []
        self._busy = 0
        for identity in identities:
            # Seeded by its own number: one terminal alone does what it does among the others.
            chance = Random(f"{plan.seed}/{identity.tid}")
            self.terminals.append(
                Terminal(identity, dialect, chance=chance, report=self.report, options=plan.options)
            )
        self.report.terminals = len(self.terminals)

    def run(self) -> Report:
        """To the end. Raises: Address when the host cannot be reached at all."""
        begun = self._clock()
        try:
            self._begin(begun)
            self._loop(begun)
        finally:
            for wire in self._wires:
                if wire.socket is not None:
                    wire.socket.close()
            self._selector.close()
        self.report.seconds = self._clock() - begun
        if self._progress is not None:
            self._progress(self.report)
        return self.report

    # ---- beginning and looping ------------------------------------------------------------------
    def _begin(self, now: float) -> None:
        count = len(self.terminals)
        for index, terminal in enumerate(self.terminals):
            share = self.plan.transactions // count + (index < self.plan.transactions % count)
            interval_s = count / self.plan.rate if self.plan.rate else 0.0
            shift = Shift(
                transactions=share,
                settle_every=self.plan.settle_every,
                settles=self.plan.settles,
                clears=self.plan.clears,
                begins_at=now + index / self.plan.rate if self.plan.rate else 0.0,
                interval_s=interval_s,
            )
            tid = terminal.identity.tid
            line = Line(
                work(terminal, shift, self.plan.faults),
                self.dialect,
                tid=tid,
                faults=self.plan.faults,
                chance=Random(f"{self.plan.seed}/{tid}/faults"),
                report=self.report,
            )
            wire = _Wire(line, index)
            self._wires.append(wire)
            self._busy += 1
            line.begin(now)
            self._connect(wire, now)

    def _loop(self, begun: float) -> None:
        look_at = begun
        while self._busy:
            now = self._clock()
            timeout_s = TICK_S
            if self._pauses:
                timeout_s = max(0.0, min(timeout_s, self._pauses[0][0] - now))
            for key, events in self._selector.select(timeout_s):
                self._serve(key.data, events)
            now = self._clock()
            while self._pauses and self._pauses[0][0] <= now:
                wire = self._wires[heapq.heappop(self._pauses)[1]]
                wire.is_paused = False
                wire.line.resume(now)
                self._act(wire, now)
            if now >= look_at:
                look_at = now + TICK_S
                self._look(now)
                self.report.seconds = now - begun
                if self._progress is not None:
                    self._progress(self.report)
                if self.plan.deadline_s and now - begun > self.plan.deadline_s:
                    self._give_up()
                    return

    def _look(self, now: float) -> None:
        """Time-outs: of answers, and of connections."""
        while self._reconnects and self._reconnects[0][0] <= now:
            self._connect(self._wires[heapq.heappop(self._reconnects)[1]], now)
        for wire in self._wires:
            since = wire.line.waiting_since
            is_late = since is not None and now - since > self.plan.answer_s_max
            if wire.trying_since is not None:
                if now - wire.trying_since > self.plan.connect_s_max:
                    host, port = self.plan.address
                    raise Address(f"nobody answers at {host}:{port}")
            elif is_late and wire.socket is not None:
                self._break(wire, now)
                wire.line.silence(now)

    def _give_up(self) -> None:
        for wire in self._wires:
            if not wire.line.is_done:
                sentence = f"not done after {self.plan.deadline_s:g} s"
                self.report.disagree(
                    Disagreement(wire.line.tid, "------", "------", "deadline", sentence)
                )

    # ---- sockets --------------------------------------------------------------------------------
    def _connect(self, wire: _Wire, now: float) -> None:
        wire.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        wire.socket.setblocking(False)
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.socket.connect_ex(self.plan.address)
        wire.is_connecting = True
        if wire.trying_since is None:
            wire.trying_since = now
        self._selector.register(wire.socket, selectors.EVENT_WRITE, wire)

    def _break(self, wire: _Wire, now: float, *, again_s: float = 0.0) -> None:
        """Closes the connection and makes another."""
        assert wire.socket is not None
        self._selector.unregister(wire.socket)
        wire.socket.close()
        wire.socket = None
        wire.received.clear()
        wire.unsent.clear()
        wire.is_watched_to_write = False
        self.report.reconnects += 1
        if again_s:
            heapq.heappush(self._reconnects, (now + again_s, wire.index))
        else:
            self._connect(wire, now)

    def _serve(self, wire: _Wire, events: int) -> None:
        now = self._clock()
        if wire.is_connecting:
            self._connected(wire, now)
            return
        if events & selectors.EVENT_READ and not self._receive(wire, now):
            return
        if wire.unsent:
            self._act(wire, now)

    def _connected(self, wire: _Wire, now: float) -> None:
        assert wire.socket is not None
        wire.is_connecting = False
        if wire.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._break(wire, now, again_s=CONNECT_AGAIN_S)
            return
        wire.trying_since = None
        self._selector.modify(wire.socket, selectors.EVENT_READ, wire)
        self._act(wire, now)

    def _receive(self, wire: _Wire, now: float) -> bool:
        """What has come; false where the connection is a new one now."""
        assert wire.socket is not None
        connection = wire.socket
        try:
            received = connection.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            received = b""
        if not received:
            self._break(wire, now)
            wire.line.silence(now)
            return False
        buffer = wire.received
        buffer += received
        while len(buffer) >= LENGTH_SIZE:
            size = LENGTH_SIZE + (buffer[0] << 8 | buffer[1])
            if len(buffer) < size:
                break
            frame = bytes(buffer[:size])
            del buffer[:size]
            wire.line.take(frame, now)
            self._act(wire, now)
            if wire.socket is not connection:
                return False
        return True

    def _act(self, wire: _Wire, now: float) -> None:
        """Carries out what the line wants, as far as there is a connection."""
        line, actions = wire.line, wire.line.actions
        while actions and wire.socket is not None and not wire.is_connecting:
            action = actions.popleft()
            if isinstance(action, Cut):
                self._flush(wire)
                self._break(wire, now)
                return  # the rest when the new line stands
            wire.unsent += action
        if wire.unsent:
            self._flush(wire)
        if line.resume_at is not None:
            if wire.is_paused:
                return
            wire.is_paused = True
            heapq.heappush(self._pauses, (line.resume_at, wire.index))
        elif line.is_done and not actions and not wire.unsent and wire.socket is not None:
            self._selector.unregister(wire.socket)
            wire.socket.close()
            wire.socket = None
            wire.trying_since = None
            self._busy -= 1

    def _flush(self, wire: _Wire) -> None:
        assert wire.socket is not None
        try:
            sent = wire.socket.send(wire.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # broken: reading will say so
        del wire.unsent[:sent]
        wants_to_write = bool(wire.unsent)
        if wants_to_write != wire.is_watched_to_write:
            wire.is_watched_to_write = wants_to_write
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wants_to_write else 0)
            self._selector.modify(wire.socket, events, wire)


def beliefs(terminals: Iterable[Terminal]) -> dict[str, list[Mapping[str, object]]]:
    """What each terminal believes of each deal, as plain JSON: to be held against a journal."""
    return {
        terminal.identity.tid: [
            _belief(deal) for deal in (*terminal.ledger.closed, *terminal.ledger.deals)
        ]
        for terminal in terminals
    }


def _belief(deal: Deal) -> Mapping[str, object]:
    return {
        "trade": deal.trade,
        "sign": deal.sign,
        "batch": int(deal.batch),
        "stan": int(deal.stan),
        "amount": deal.amount,
        "is_foreign": deal.is_foreign,
        "state": deal.state,
        "response": deal.response,
        "rrn": deal.rrn,
        "settled": deal.settled,
    }
