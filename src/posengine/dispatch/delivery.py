"""Delivery: journal entries carried to one customer, in order, at least once.

    journal ─▶ replay.pages() ─▶ sink.take() ─▶ sink.flush() ─▶ replay.checkpoint()
                                    │ busy: again, later, the rest of the page
                                    │ refused: a dead letter, and on

The checkpoint moves only after the sink has taken the page and made it safe. A crash between the
two repeats the page and never skips one, so every sink must be idempotent on ``Entry.sequence``;
those of this package are. A dead letter is on the desk before the checkpoint passes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from posengine.errors import PosError, Whose
from posengine.replay import Replay, ReplayPage

PAGES_QUIET_MAX = 64  # pages without an entry for this customer between two checkpoints


class SinkError(PosError):
    """A sink did not take a page.

    Attributes:
        sequence: the entry that it stopped at; everything before it is dealt with.
        taken: how many entries of the page it had taken before.
        delivered: how many entries ``deliver`` had carried before it gave up.
    """

    whose: ClassVar[Whose] = "peer"

    def __init__(self, text: str, *, sequence: int, taken: int = 0) -> None:
        super().__init__(text)
        self.sequence = sequence
        self.taken = taken
        self.delivered = 0


class SinkBusy(SinkError):
    """Not now. ``retry_after_s`` is what the other side asked for, 0 for nothing."""

    def __init__(
        self, text: str, *, sequence: int, taken: int = 0, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(text, sequence=sequence, taken=taken)
        self.retry_after_s = retry_after_s


class SinkRefused(SinkError):
    """Never: the other side will not take the entry ``sequence``."""


class Sink(Protocol):
    """Where entries go."""

    pages_unflushed_max: int
    """How many pages with entries may be taken before ``flush``."""

    def take(self, page: ReplayPage) -> int:
        """Take the page's entries that the customer is to have; gives how many.

        Raises:
            SinkBusy, SinkRefused: it stopped at an entry.
        """

    def flush(self) -> None:
        """What was taken is safe when this returns."""


class History(Protocol):
    """What keeps attempts and dead letters: the desk."""

    def record_delivery(
        self,
        name: str,
        *,
        journal_id: str,
        sequences: tuple[int, int],
        entry_count: int,
        attempt: int,
        outcome: str,
        detail: str,
    ) -> None: ...
    def bury(
        self, name: str, *, journal_id: str, sequence: int, reason: str, attempts: int
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long to wait for a busy sink.

    The n-th delay is ``delay_s_min`` doubled n-1 times, at most ``delay_s_max``, of which a random
    half is left out, so that many senders do not come back as one. ``jitter`` gives 0 to 1.
    """

    jitter: Callable[[], float]
    retries_max: int = 8
    delay_s_min: float = 0.5
    delay_s_max: float = 300.0
    after_retries: Literal["stop", "dead"] = "stop"
    """``stop``: raise, in order and without loss; ``dead``: bury the entry and go on."""

    def delay_s(self, retry: int, *, asked_s: float = 0.0) -> float:
        """Before retry number ``retry``, from 1. What the other side asked for is honoured, but
        not for ever: ``delay_s_max`` holds."""
        doubled = self.delay_s_min * 2.0 ** min(retry - 1, 60)
        drawn = min(doubled, self.delay_s_max) * (0.5 + 0.5 * self.jitter())
        return min(max(drawn, asked_s), self.delay_s_max)


def deliver(
    replay: Replay,
    sink: Sink,
    *,
    retry: Retry,
    sleep: Callable[[float], None],
    history: History | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Carry every entry after the replay's checkpoint to ``sink``.

    With ``history`` a refused entry becomes a dead letter and the next one follows; without, there
    is no place for it, and the refusal is raised. ``progress`` hears of every page's last sequence.

    Returns:
        How many entries were taken. The journal holds no more; when to look again is the caller's
        business.

    Raises:
        SinkBusy: still busy after ``retry.retries_max`` retries. The checkpoint stands before the
            entry that it stopped at.
        SinkRefused: at once, where there is no ``history``.
    """
    carrier = _Carrier(replay, sink, retry, sleep, history)
    try:
        for page in replay.pages():
            carrier.carry(page)
            if progress is not None:
                progress(page.last_sequence)
    except SinkError as error:
        error.delivered = carrier.total
        raise
    finally:
        # Also when it ends badly: what was taken before need not be taken again.
        carrier.settle()
    return carrier.total


class _Carrier:
    """One run of ``deliver``: what is dealt with, and not yet acknowledged."""

    def __init__(
        self,
        replay: Replay,
        sink: Sink,
        retry: Retry,
        sleep: Callable[[float], None],
        history: History | None,
    ) -> None:
        self._replay = replay
        self._sink = sink
        self._retry = retry
        self._sleep = sleep
        self._history = history
        self._done = 0  # the last sequence that is dealt with
        self._settled = 0  # the last that is acknowledged
        self._first = 0  # the first that was taken since
        self._taken = 0  # how many were
        self._pages = 0  # pages since
        self.total = 0
        """Entries taken in all."""

    def carry(self, page: ReplayPage) -> None:
        """Deal with every entry of the page."""
        attempt = 1
        rest: ReplayPage | None = page
        while rest is not None:
            try:
                count = self._sink.take(rest)
            except SinkError as error:
                attempt = 1 if error.taken else attempt
                self._note(rest, error.sequence - 1, error.taken)
                attempt = self._judge(rest, error, attempt)
                rest = rest.after(self._done)
            else:
                self._note(rest, rest.last_sequence, count)
                rest = None
        self._pages += 1
        full = self._taken > 0 and self._pages >= self._sink.pages_unflushed_max
        if full or self._pages >= PAGES_QUIET_MAX:
            self.settle()

    def settle(self) -> None:
        """Make safe what was taken, then acknowledge it: the order is law 6."""
        if self._done <= self._settled:
            return
        self._sink.flush()
        self._replay.checkpoint(self._done)
        if self._taken:
            self._record(self._first, self._done, self._taken, 1, "taken", "")
        self._settled = self._done
        self._taken = 0
        self._pages = 0

    def _note(self, page: ReplayPage, sequence: int, count: int) -> None:
        """Entries of ``page`` up to ``sequence`` are dealt with; ``count`` of them were taken."""
        if sequence < page.first_sequence:
            return
        if self._taken == 0:
            self._first = page.first_sequence
        self._done = sequence
        self._taken += count
        self.total += count

    def _judge(self, page: ReplayPage, error: SinkError, attempt: int) -> int:
        """Wait, bury or give up; gives the number of the next attempt."""
        self.settle()
        is_busy = isinstance(error, SinkBusy)
        outcome = "busy" if is_busy else "refused"
        self._record(error.sequence, error.sequence, 1, attempt, outcome, str(error))
        if isinstance(error, SinkBusy) and attempt <= self._retry.retries_max:
            self._sleep(self._retry.delay_s(attempt, asked_s=error.retry_after_s))
            return attempt + 1
        if self._history is None or (is_busy and self._retry.after_retries == "stop"):
            raise error
        self._history.bury(
            self._replay.name,
            journal_id=self._replay.journal_id,
            sequence=error.sequence,
            reason=str(error),
            attempts=attempt,
        )
        self._note(page, error.sequence, 0)
        self.settle()
        return 1

    def _record(
        self, first: int, last: int, count: int, attempt: int, outcome: str, detail: str
    ) -> None:
        if self._history is not None:
            self._history.record_delivery(
                self._replay.name,
                journal_id=self._replay.journal_id,
                sequences=(first, last),
                entry_count=count,
                attempt=attempt,
                outcome=outcome,
                detail=detail,
            )
