"""The signals that end or reload an engine: its front takes them, a supervisor passes them on."""

from __future__ import annotations

import signal

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
