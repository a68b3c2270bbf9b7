# cython: language_level=3
"""The engine and its front, as objects. Frames are copied in and replies are copied out."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from posengine._native.status cimport checked, pos_status, pos_status_name

from posengine.errors import ArgumentFault, EngineStopped

cdef extern from "string.h" nogil:
    void explicit_bzero(void *at, size_t size)


cdef pos_bytes bytes_of(bytes image):
    """Borrowed: as long as ``image`` lives."""
    cdef pos_bytes slice
    slice.data = <const uint8_t *><const char *>image
    slice.size = len(image)
    return slice


cdef void tell(void *context, const char *line, size_t size) noexcept with gil:
    """One log line to the Python function that was handed in; what it raises is dropped."""
    try:
        (<object>context)(line[:size].decode("utf-8", "replace"))
    except Exception:
        pass


cdef void put_question(void *context, pos_question *questions, size_t count) noexcept with gil:
    """Ask the Python function: it sees the questions in place, as writable memory, and only now."""
    cdef size_t index
    try:
        (<object>context)(<uint8_t[: count * sizeof(pos_question)]> <uint8_t *>questions)
    except Exception:
        # A function that fails has approved nothing.
        for index in range(count):
            questions[index].response[0] = b"9"
            questions[index].response[1] = b"6"


QUESTION_SIZE = sizeof(pos_question)


def utc_ns() -> int:
    """Nanoseconds since 1970, UTC: the clock of an engine that is given none."""
    return pos_clock_utc_ns()


cdef class Core:
    """One open engine. Not for two threads at once; a Front that runs has it for itself."""

    cdef pos_engine *engine
    cdef object log
    cdef object decide
    cdef bint is_lent

    def __cinit__(
        self,
        bytes spec not None,
        bytes roster not None,
        bytes policy not None,
        *,
        bytes downloads not None,
        bytes journal_path not None,
        bytes keystore_path not None,
        bytes state_path not None,
        bytes master_key not None,
        dict settings not None,
        log,
        decide,
    ):
        """Open or make the journal and fold it.

        Args:
            spec, roster, policy, downloads: images; copied.
            journal_path: directory of the journal.
            keystore_path: file of the working keys.
            state_path: file of the state's snapshot.
            master_key: 32 bytes; copied into derived keys, not kept.
            settings: the numbers of pos_engine_options and pos_journal_options by name.
            log: a function of one line, ``"stderr"``, or None.
            decide: a function of writable memory that holds questions, or None.

        Raises:
            PosError: as the journal, the images and the keys do.
        """
        cdef pos_engine_options options
        cdef pos_status status
        if len(master_key) != 32:
            raise ArgumentFault("the master key has 32 bytes")
        memset(&options, 0, sizeof(options))
        options.journal_path = journal_path
        options.keystore_path = keystore_path
        options.state_path = state_path
        options.spec = bytes_of(spec)
        options.roster = bytes_of(roster)
        options.policy = bytes_of(policy)
        options.downloads = bytes_of(downloads)
        options.journal.durability = (
            POS_DURABLE_FULL if settings.get("durability") == "full" else POS_DURABLE_LATE
        )
        options.journal.volume_size_max = settings.get("volume_size_max", 0)
        options.journal.page_entries_max = settings.get("page_entries_max", 0)
        options.journal.page_size_max = settings.get("page_size_max", 0)
        options.journal.cutover_minute = settings.get("cutover_minute", 0)
        options.journal.zone_offset_minute = settings.get("zone_offset_minute", 0)
        options.journal.volumes_max = settings.get("volumes_max", 0)
        options.journal.keep_pan = bool(settings.get("keep_pan", False))
        options.terminals_max = settings.get("terminals_max", 0)
        options.postings_max = settings.get("postings_max", 0)
        options.repeats_max = settings.get("repeats_max", 0)
        options.repeat_window_h = settings.get("repeat_window_h", 0)
        options.wave_frames_max = settings.get("wave_frames_max", 0)
        options.bad_macs_max = settings.get("bad_macs_max", 0)
        options.lock_s = settings.get("lock_s", 0)
        self.log = log
        if log == "stderr":
            options.log = pos_log_stderr
        elif log is not None:
            options.log = tell
            options.log_context = <void *>log
        self.decide = decide
        if decide is not None:
            options.decide = put_question
            options.decide_context = <void *>decide
        for index in range(32):
            options.master_key[index] = master_key[index]
        with nogil:
            status = pos_engine_open(&options, &self.engine)
        explicit_bzero(options.master_key, sizeof(options.master_key))
        checked(status, "engine")

    def __dealloc__(self):
        pos_engine_close(self.engine)

    cdef int ready(self) except -1:
        if self.engine == NULL:
            raise EngineStopped("the engine is closed")
        if self.is_lent:
            raise EngineStopped("the engine is serving: its front has it")
        return 0

    def close(self) -> None:
        """Close the journal. What was not committed was never answered."""
        self.ready()
        with nogil:
            pos_engine_close(self.engine)
        self.engine = NULL

    def submit(self, list arrivals not None, int64_t now_ns) -> tuple:
        """Submit ``(line, frame)`` pairs as one wave.

        Returns:
            ``(taken, status)``: how many were taken and the name of the status. STAGE_FULL: commit,
            take the replies, submit the rest.
        """
        cdef size_t count = len(arrivals)
        cdef size_t taken = 0
        cdef size_t index
        cdef bytes frame
        cdef pos_status status
        cdef pos_arrival *wave
        self.ready()
        wave = <pos_arrival *>PyMem_Malloc((count + 1) * sizeof(pos_arrival))
        if wave == NULL:
            raise MemoryError
        try:
            for index in range(count):
                line, frame = arrivals[index]
                wave[index].line = line
                wave[index].frame = <const uint8_t *><const char *>frame
                wave[index].size = len(frame)
            with nogil:
                status = pos_engine_submit_wave(self.engine, wave, count, now_ns, &taken)
        finally:
            PyMem_Free(wave)
        return taken, pos_status_name(status).decode()

    def commit(self) -> str:
        """Make everything submitted durable. Returns the name of the status."""
        cdef pos_status status
        self.ready()
        with nogil:
            status = pos_engine_commit(self.engine)
        return pos_status_name(status).decode()

    def replies(self) -> list:
        """Every ready reply: ``(line, sequence, frame, is_closing)``; the frames are copies."""
        cdef pos_reply reply
        self.ready()
        ready = []
        while pos_engine_reply(self.engine, &reply):
            frame = reply.data[: reply.size] if reply.size > 0 else b""
            ready.append((reply.line, reply.sequence, bytes(frame), bool(reply.is_closing)))
        return ready

    def reload(self, bytes spec not None, bytes roster not None, bytes policy not None,
               bytes downloads not None, int64_t now_ns) -> None:
        """Load new images, whole or not at all; empty bytes keep what is loaded."""
        cdef pos_engine_images images
        self.ready()
        images.spec = bytes_of(spec)
        images.roster = bytes_of(roster)
        images.policy = bytes_of(policy)
        images.downloads = bytes_of(downloads)
        checked(pos_engine_reload(self.engine, &images, now_ns), "reload")

    def lock(self, bytes tid not None, bint is_locked, int64_t now_ns) -> None:
        """Lock or unlock a terminal by its TID of eight bytes."""
        self.ready()
        if len(tid) != 8:
            raise ArgumentFault("a TID has eight characters")
        checked(pos_engine_lock(self.engine, tid, is_locked, now_ns), tid.decode("ascii", "replace"))

    def counters(self) -> dict:
        """Every counter by its name."""
        cdef pos_counter counter
        cdef size_t index = 0
        self.ready()
        found = {}
        while pos_engine_counter(self.engine, index, &counter):
            found[counter.name.decode()] = counter.value
            index += 1
        return found

    def stages(self) -> dict:
        """Stage name to ``(count, p50, p99, max, sum)``, durations in ns."""
        cdef const char *name = NULL
        cdef const pos_histogram *stage
        cdef size_t index = 0
        self.ready()
        found = {}
        while True:
            stage = pos_engine_stage(self.engine, index, &name)
            if stage == NULL:
                return found
            found[name.decode()] = (
                stage.count,
                pos_histogram_percentile(stage, 50),
                pos_histogram_percentile(stage, 99),
                stage.value_max,
                stage.sum,
            )
            index += 1

    def journal_facts(self) -> dict:
        """What the journal says of itself, by name."""
        cdef pos_journal_facts facts
        self.ready()
        pos_engine_journal_facts(self.engine, &facts)
        return {
            "journal_id": bytes(facts.journal_id[:16]).hex(),
            "last_sequence": facts.last_sequence,
            "durable_sequence": facts.durable_sequence,
            "pages": facts.pages,
            "bytes": facts.bytes,
            "volumes": facts.volumes,
            "free_bytes": facts.free_bytes,
            "is_in_doubt": bool(facts.is_in_doubt),
        }

    def state_digest(self) -> bytes:
        """Sixteen bytes, equal after every restart."""
        cdef uint8_t digest[16]
        self.ready()
        pos_engine_state_digest(self.engine, digest)
        return bytes(digest[:16])


cdef void ask(void *context) noexcept with gil:
    """Tells Python that a reload was asked for; it must only set an event."""
    try:
        (<object>context)()
    except Exception:
        pass


cdef class Front:
    """An engine behind sockets. ``run`` blocks, without the interpreter's lock, until drained."""

    cdef pos_front *front
    cdef Core core
    cdef object ask_reload

    def __cinit__(self, Core core not None, *, bytes listen not None, bytes control, dict settings
                  not None, bint takes_signals, ask_reload):
        """Listen on ``listen`` ("host:port, ..."); ``control`` is a socket's path or None.

        Raises:
            Address: an address cannot be listened on.
        """
        cdef pos_front_options options
        core.ready()
        memset(&options, 0, sizeof(options))
        options.listen = listen
        if control is not None:
            options.control = control
        options.connections_max = settings.get("connections_max", 0)
        options.in_flight_max = settings.get("in_flight_max", 0)
        options.out_size_max = settings.get("out_size_max", 0)
        options.idle_s = settings.get("idle_s", 0)
        options.frame_s = settings.get("frame_s", 0)
        options.drain_s = settings.get("drain_s", 0)
        options.takes_signals = takes_signals
        self.ask_reload = ask_reload
        if ask_reload is not None:
            options.ask_reload = ask
            options.context = <void *>ask_reload
        self.core = core
        checked(pos_front_open(core.engine, &options, &self.front), listen.decode())

    def __dealloc__(self):
        pos_front_close(self.front)

    def port(self, size_t index=0) -> int:
        """The port of listening socket ``index``."""
        return pos_front_port(self.front, index)

    def run(self) -> None:
        """Serve until drained.

        Raises:
            JournalInDoubt: a commit failed; nothing of it was answered.
        """
        cdef pos_status status
        self.core.ready()
        self.core.is_lent = True
        with nogil:
            status = pos_front_run(self.front)
        self.core.is_lent = False
        checked(status, "serve")

    def close(self) -> None:
        """Stop listening. After run has returned."""
        pos_front_close(self.front)
        self.front = NULL

    def drain(self) -> None:
        """From any thread: finish what is in flight; run returns."""
        pos_front_drain(self.front)

    def reload(self, bytes spec not None, bytes roster not None, bytes policy not None,
               bytes downloads not None) -> None:
        """From another thread: load images between two waves; waits until that is done."""
        cdef pos_engine_images images
        cdef pos_status status
        images.spec = bytes_of(spec)
        images.roster = bytes_of(roster)
        images.policy = bytes_of(policy)
        images.downloads = bytes_of(downloads)
        with nogil:
            status = pos_front_reload(self.front, &images, NULL)
        checked(status, "reload")

    def reload_failed(self, str reason not None) -> None:
        """From another thread: tell those who asked why there was no reload."""
        cdef bytes text = reason.encode()
        cdef const char *failure = text
        with nogil:
            pos_front_reload(self.front, NULL, failure)
