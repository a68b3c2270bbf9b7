"""Which path of the processor serves, and whether it is the one that was asked for."""

from __future__ import annotations

import os

from posengine._native.status import cpu_asked_is_met, cpu_path, cpu_path_best
from posengine.settings import SettingsError

CPU_VARIABLE = "POSENGINE_CPU"
PATHS = ("portable", "sse42", "avx2", "avx512")


def processor_path() -> str:
    """The path that this process takes, as the engine's log names it.

    Raises:
        SettingsError: POSENGINE_CPU names no path, or one that this machine has not. An engine that
            took another one in silence would be measured, or trusted, for what it is not.
    """
    if not cpu_asked_is_met():
        asked = os.environ.get(CPU_VARIABLE, "")
        raise SettingsError(
            f"{CPU_VARIABLE}: {asked!r} is not to be had: this machine has "
            f"{', '.join(PATHS[: PATHS.index(cpu_path_best()) + 1])}"
        )
    return cpu_path()
