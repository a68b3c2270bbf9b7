"""Serving from a configuration file: images compiled, engine opened, front run, reloads served.

    main thread      Front.run: the loop in C, without the interpreter's lock
    reload thread    waits for an event; compiles the files anew; hands the images over

A reload that fails changes nothing, and says so to whoever asked and in the log.
"""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from posengine._native.engine import Front
from posengine.engine.configuration import Configuration, read_configuration
from posengine.engine.engine import Engine
from posengine.engine.images import Images
from posengine.engine.kept import compile_and_keep, images_of
from posengine.engine.processor import processor_path
from posengine.engine.signals import PASSED_ON
from posengine.errors import EngineStopped, PosError
from posengine.keys import load_master_key


@dataclass(slots=True)
class Reloader:
    """Compiles again when asked; one reload at a time, the newest files win."""

    front: Front
    compile: Callable[[], Images]
    wanted: threading.Event
    is_ending: bool = False

    def run(self) -> None:
        """The reload thread: until ``is_ending``."""
        while True:
            self.wanted.wait()
            self.wanted.clear()
            if self.is_ending:
                return
            self._once()

    def _once(self) -> None:
        try:
            images = self.compile()
        except PosError as error:
            self._fail(str(error))
            return
        except Exception as error:
            # Whatever is wrong with a file must not end an engine that serves.
            self._fail(f"{type(error).__name__}: {error}")
            return
        try:
            self.front.reload(images.spec, images.roster, images.policy, images.downloads)
        except PosError:
            return  # the front has told those who asked, and the log

    def _fail(self, reason: str) -> None:
        try:
            self.front.reload_failed(reason)
        except EngineStopped:
            return


def serve(configuration: Configuration, *, told: Callable[[Front], None] | None = None) -> None:
    """Run one engine until SIGTERM or SIGINT has drained it.

    Args:
        told: called with the listening front before it runs.

    Raises:
        PosError: the files, the keys, the journal, an address or POSENGINE_CPU do not allow a
            start.
        JournalInDoubt: a commit failed; nothing of it was answered.
    """
    if not configuration.core_dumps:
        # Memory holds keys, and for moments track data: no file of it is to be left behind.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Each connection is a descriptor: take as many as the system gives.
    _, descriptors_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, descriptors_max))
    # Signals wait until the front takes them: a thread that is born later must not be hit by one.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    processor_path()  # an unmet wish stops the start; the path stands in the line "listening"
    master_key = load_master_key(configuration.master_key)
    images = images_of(configuration)
    wanted = threading.Event()
    with Engine(
        images.spec,
        images.roster,
        images.policy,
        configuration.journal,
        master_key=master_key,
        keystore=configuration.keystore,
        downloads=images.downloads,
        settings={
            **configuration.engine,
            "zone_offset_minute": images.zone_offset_minute,
            "cutover_minute": images.cutover_minute,
        },
        log="stderr",
    ) as engine:
        front = engine.front(
            configuration.listen,
            control=configuration.control,
            settings=configuration.front,
            takes_signals=True,
            ask_reload=wanted.set,
        )
        try:
            _run(front, configuration, wanted, told)
        finally:
            front.close()


def _run(
    front: Front,
    configuration: Configuration,
    wanted: threading.Event,
    told: Callable[[Front], None] | None,
) -> None:
    def again() -> Images:
        return compile_and_keep(read_configuration(configuration.file))

    reloader = Reloader(front, again, wanted)
    thread = threading.Thread(target=reloader.run, name="reload", daemon=True)
    thread.start()
    try:
        if told is not None:
            told(front)
        front.run()
    finally:
        reloader.is_ending = True
        wanted.set()
        thread.join()
