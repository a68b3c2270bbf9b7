"""The engine as an object: frames in, durable decisions, replies out.

    with Engine(spec, roster, policy, "journal", master_key=key) as engine:
        engine.submit(line, [frame])
        for reply in engine.commit():
            send(reply.line, reply.frame)

One engine is the only writer of its journal, and one thread at a time drives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from posengine._native.engine import Core, Front, utc_ns
from posengine.errors import BY_STATUS, JournalInDoubt

if TYPE_CHECKING:
    from posengine.engine.questions import Decide


class Compiled(Protocol):
    """What has been compiled already: a Spec."""

    @property
    def image(self) -> bytes: ...


class Compilable(Protocol):
    """What compiles itself: a Roster, a Policy."""

    def compile(self) -> bytes: ...


Image = Compiled | Compilable | bytes


class Reply(NamedTuple):
    """What goes back on ``line``: a whole frame, or nothing and the line is to be closed.

    ``sequence`` is that of its entry, 0 for a refusal that has none.
    """

    line: int
    sequence: int
    frame: bytes
    is_closing: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """Durations of one stage in nanoseconds: of a message; of a page in ``commit``."""

    count: int
    p50: int
    p99: int
    max: int
    sum: int


def _over_memory(decide: Decide) -> Callable[[memoryview], None]:
    # Here and not above: an engine that decides alone needs no NumPy.
    from posengine.engine.questions import over_memory

    return over_memory(decide)


def state_path_of(journal: Path) -> Path:
    """The snapshot of the state lies beside the journal."""
    return journal.with_name(journal.name + ".state")


class Engine:
    """An open journal with the rules that decide. A context manager."""

    def __init__(
        self,
        spec: Image,
        roster: Image,
        policy: Image,
        journal: str | Path,
        *,
        master_key: bytes,
        keystore: str | Path | None = None,
        downloads: bytes = b"",
        clock: Callable[[], int] = utc_ns,
        settings: Mapping[str, int | str] | None = None,
        log: Callable[[str], None] | str | None = None,
        decide: Decide | None = None,
    ) -> None:
        """Open ``journal``, making it where it is absent, and fold it into the state.

        Args:
            spec, roster, policy: images, or what has one.
            master_key: 32 bytes; every other key is derived from it.
            keystore: file of the working keys; beside the journal where it is None.
            downloads: image of what terminals may fetch (``compile_downloads``).
            clock: UTC nanoseconds, asked once a wave.
            settings: limits by the names of ``pos_engine_options`` and ``pos_journal_options``.
            log: takes each log line; ``"stderr"`` writes them there.
            decide: called once a wave with what may move money, as columns; it may decline
                (``posengine.engine.questions``).

        Raises:
            JournalError, ImageError, KeyFault: as their rooms say.
        """
        self._clock = clock
        path = Path(journal)
        store = path.with_name(path.name + ".keys") if keystore is None else Path(keystore)
        self._core = Core(
            image_of(spec),
            image_of(roster),
            image_of(policy),
            downloads=downloads,
            journal_path=bytes(path),
            keystore_path=bytes(store),
            state_path=bytes(state_path_of(path)),
            master_key=master_key,
            settings=dict(settings or {}),
            log=log,
            decide=None if decide is None else _over_memory(decide),
        )
        self._ready: list[Reply] = []
        self._is_open = True

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal; what was not committed was never answered."""
        if self._is_open:
            self._is_open = False
            self._core.close()

    def submit(self, line: int, frames: Sequence[bytes]) -> None:
        """Whole frames from one connection, in order.

        Whatever a terminal can get wrong inside of a frame is answered, not raised.

        Raises:
            JournalInDoubt: a commit has failed; this engine is over.
        """
        self.submit_wave([(line, frame) for frame in frames])

    def submit_wave(self, arrivals: Sequence[tuple[int, bytes]]) -> None:
        """The same for frames of many connections. Commits by itself where the stage is full.

        Raises:
            JournalInDoubt: as submit.
        """
        left = list(arrivals)
        while left:
            taken, status = self._core.submit(left, self._clock())
            del left[:taken]
            self._collect()
            if status == "STAGE_FULL":
                self._commit()
            elif status != "OK":
                raise BY_STATUS[status](f"{len(left)} frames were not taken")

    def commit(self) -> list[Reply]:
        """Make everything submitted durable, and return what goes back since the last call.

        Raises:
            JournalInDoubt: the outcome is unknown; nothing of it was or will be answered.
        """
        self._commit()
        ready, self._ready = self._ready, []
        return ready

    def _commit(self) -> None:
        status = self._core.commit()
        if status == "JOURNAL_IN_DOUBT":
            raise JournalInDoubt("a commit failed: its outcome is unknown, the engine is over")
        if status != "OK":
            raise BY_STATUS[status]("commit")
        self._collect()

    def _collect(self) -> None:
        self._ready += [
            reply
            for reply in map(Reply._make, self._core.replies())
            if reply.frame or reply.is_closing
        ]

    def reload(
        self,
        *,
        spec: Image = b"",
        roster: Image = b"",
        policy: Image = b"",
        downloads: bytes = b"",
    ) -> None:
        """Load new images, whole or not at all; what is empty stays. An entry of its own.

        Raises:
            ImageError, KeyFault: nothing has changed then.
        """
        self._core.reload(
            image_of(spec), image_of(roster), image_of(policy), downloads, self._clock()
        )

    def lock(self, tid: str, *, is_locked: bool = True) -> None:
        """Lock a terminal, or unlock it; an entry of its own, so it holds over a restart.

        Raises:
            TerminalAbsent: the roster has no such terminal.
        """
        self._core.lock(tid.encode("ascii"), is_locked, self._clock())

    def stat(self) -> dict[str, Any]:
        """``counters`` by name, ``stages`` by name, ``journal`` facts by name."""
        return {
            "counters": self._core.counters(),
            "stages": {name: Stage(*facts) for name, facts in self._core.stages().items()},
            "journal": self._core.journal_facts(),
        }

    def state_digest(self) -> bytes:
        """Sixteen bytes that name the state; the same after every restart."""
        return self._core.state_digest()

    def front(
        self,
        listen: Sequence[str],
        *,
        control: str | Path | None = None,
        settings: Mapping[str, int] | None = None,
        takes_signals: bool = False,
        ask_reload: Callable[[], None] | None = None,
    ) -> Front:
        """A front that listens; ``run`` it to serve, and leave the engine alone meanwhile.

        Args:
            listen: addresses as ``"127.0.0.1:8583"``; port 0 takes any, ``front.port()`` tells.
            control: path of the control socket.
            settings: limits by the names of ``pos_front_options``.
            takes_signals: SIGTERM and SIGINT drain, SIGHUP asks for a reload.
            ask_reload: called on the front's thread: it must only set an event.

        Raises:
            Address: an address cannot be listened on.
        """
        return Front(
            self._core,
            listen=",".join(listen).encode(),
            control=None if control is None else bytes(Path(control)),
            settings=dict(settings or {}),
            takes_signals=takes_signals,
            ask_reload=ask_reload,
        )

    def serve(self, listen: Sequence[str], *, takes_signals: bool = True) -> None:
        """Serve until SIGTERM or SIGINT has drained it.

        Raises:
            Address: an address cannot be listened on.
            JournalInDoubt: a commit failed; nothing of it was answered.
        """
        front = self.front(listen, takes_signals=takes_signals)
        try:
            front.run()
        finally:
            front.close()


def image_of(value: Image) -> bytes:
    """The bytes of an image, or of what has or makes one."""
    if isinstance(value, bytes):
        return value
    compile_it = getattr(value, "compile", None)
    return bytes(compile_it() if compile_it is not None else value.image)  # type: ignore[union-attr]
