"""`posengine serve --alone`: one engine, without a supervisor, started as quickly as can be.

No library for options or tables is imported: from exec to the first answer they would be waited
for.
"""

from __future__ import annotations

import signal
from pathlib import Path


def run(config: str | Path) -> None:
    """Serve until SIGTERM or SIGINT has drained the engine.

    Raises:
        PosError: as ``posengine.engine.serve`` does.
    """
    # Threads of libraries that are imported later inherit this: only the front takes signals.
    from posengine.engine.signals import PASSED_ON

    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    from posengine.engine.configuration import read_configuration
    from posengine.engine.serve import serve

    serve(read_configuration(config))
