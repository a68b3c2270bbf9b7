"""A terminal's line, without a socket: carries its shots and does to them what the faults say.

    terminal ──Shot──▶ Line ──actions: bytes, CUT──▶ driver ──▶ host
             ◀─Reply──      ◀──take(frame), silence()──

The driver sends the actions in order and tells what happened. Answers that come after the terminal
has given up are known by type and STAN, counted, and ignored, as the dialect demands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from random import Random

from posengine.errors import PosError
from posengine.simulate.dialect import Dialect
from posengine.simulate.exchange import Reply, Shot
from posengine.simulate.faults import Faults, spoil_mac
from posengine.simulate.report import Disagreement, Report


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to send before ``until`` (the driver's clock); the next shot was due then."""

    until: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the line and open another before the next action."""


CUT = Cut()
Work = Generator[Shot | Pause, Reply | None, None]


class Line:
    """One conversation with the host. ``now`` is the driver's monotonic clock, in seconds."""

    def __init__(
        self,
        work: Work,
        dialect: Dialect,
        *,
        tid: str,
        faults: Faults,
        chance: Random,
        report: Report,
    ) -> None:
        self.tid = tid
        self.actions: deque[bytes | Cut] = deque()
        self.resume_at: float | None = None  # set while the work pauses
        self.waiting_since: float | None = None  # set while an answer is awaited
        self.is_done = False
        self._work = work
        self._dialect = dialect
        self._faults = faults
        self._chance = chance
        self._report = report
        self._shot: Shot | None = None  # the one whose answer is awaited
        self._fault = ""
        self._first: Reply | None = None  # of a message that is sent twice
        self._held = b""  # a request that its reversal overtakes
        self._stale = 0  # answers still to come for which nobody waits
        self._due: float | None = None

    def begin(self, now: float) -> None:
        """The first shot."""
        self._advance(None, now)

    def resume(self, now: float) -> None:
        """The pause is over."""
        self.resume_at = None
        self._advance(None, now)

    def silence(self, now: float) -> None:
        """The line broke, or no answer came in time: whatever is awaited will not come."""
        self._stale = 0
        self._first = None
        if self._shot is not None:
            self._report.silences += 1
            self._shot = self.waiting_since = None
            self._advance(None, now)

    def take(self, frame: bytes, now: float) -> None:
        """One whole frame from the host."""
        try:
            requirement, body = self._dialect.unframe(frame)
            reply = Reply(frame, requirement, body, self._dialect.parse(body))
        except PosError as error:
            self._disagree("unreadable", f"an answer that does not parse: {error}")
            self.silence(now)
            return
        shot = self._shot
        if shot is None or not reply.is_for(shot):
            if self._stale:
                self._stale -= 1
                self._report.late_replies += 1
                return
            if shot is None:
                self._disagree("unasked", f"a {reply.message.mti} that nobody waits for")
                return
        if self._first is not None:
            self._compare(self._first, reply)
            reply, self._first = self._first, None
        elif self.waiting_since is not None:
            self._report.latencies.add(now - self.waiting_since)
            if self._fault in ("repeat", "twin"):
                self._first = reply
                if self._fault == "repeat":
                    self._send(shot.frame)
                return
        self._shot = self.waiting_since = None
        self._advance(None if self._fault == "lost" else reply, now)

    def _advance(self, reply: Reply | None, now: float) -> None:
        """Hands the answer to the work and fires its shots until one has to wait."""
        while True:
            try:
                step = self._work.send(reply)
            except StopIteration:
                self.is_done = True
                return
            if isinstance(step, Pause):
                self._due = self.resume_at = step.until
                return
            if self._is_awaited(step, now):
                return
            reply = None

    def _is_awaited(self, shot: Shot, now: float) -> bool:
        """Sends the shot, or what the fault makes of it; false: the terminal hears nothing."""
        due, self._due = self._due, None
        fault = self._fault = self._faults.draw(shot, self._chance)
        if fault:
            self._report.faults[fault] += 1
        frame = shot.frame
        if fault == "unsent":
            return False
        if fault == "crossed":
            self._held = frame
            return False
        if fault == "cut":
            # Half of the cuts fall inside the frame, half after it.
            size = len(frame)
            self._send(frame[: self._chance.choice((size, self._chance.randrange(1, size)))])
            self.actions.append(CUT)
            self._stale = 0
            return False
        self._send(spoil_mac(frame) if fault == "mac" else frame)
        if self._held:
            self._send(self._held)
            self._held = b""
            self._stale += 1
        if fault == "late":
            self._stale += 1
            return False
        if fault == "twin":
            self._send(frame)
        self._shot = shot
        self.waiting_since = now if due is None else due
        return True

    def _send(self, data: bytes) -> None:
        self._report.messages += 1
        self.actions.append(data)

    def _compare(self, first: Reply, second: Reply) -> None:
        if first.frame == second.frame:
            self._report.repeats_equal += 1
        else:
            self._disagree("repeat", "the same request was answered with other bytes")

    def _disagree(self, what: str, sentence: str) -> None:
        stan = self._shot.stan if self._shot is not None else "------"
        self._report.disagree(Disagreement(self.tid, "------", stan or "------", what, sentence))
