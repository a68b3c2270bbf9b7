"""The library's functions as Python's: text in, facts out.

A run goes on in a thread of its own, so that an interrupt from the keyboard can ask it to stop; its
report comes all the same.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from posload._core import ffi, lib
from posload.plan import Plan
from posload.report import Report


class LoadError(RuntimeError):
    """The run could not take place: no connection, no such file."""


def _taken(text: Any) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(ffi.string(text).decode("utf-8"))
    finally:
        lib.posload_free(text)
    if "error" in facts:
        raise LoadError(facts["error"])
    return facts


def run(plan: Plan) -> Report:
    """Carries out a plan.

    Raises:
        LoadError: the host is not there, or a file of the plan is not.
    """
    text = plan.lines().encode("utf-8")
    found: list[dict[str, Any] | LoadError] = []

    def work() -> None:
        try:
            found.append(_taken(lib.posload_run(text)))
        except LoadError as error:
            found.append(error)

    thread = threading.Thread(target=work, name="posload")
    thread.start()
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt:
            lib.posload_stop()
    if isinstance(found[0], LoadError):
        raise found[0]
    return Report(found[0])


def audit_pages(dump: Path, claims: str, after: int) -> dict[str, Any]:
    """What a dump of pages adds up to, and the first thing that is not as it must be."""
    return _taken(lib.posload_audit(str(dump).encode(), claims.encode(), after))


def mac(algorithm: str, key: bytes, covered: bytes) -> bytes:
    """Field 64 as posload makes it: alone and in lanes, which must agree."""
    facts = _taken(
        lib.posload_mac(algorithm.encode(), key.hex().encode(), covered.hex().encode())
    )
    return bytes.fromhex(facts["field"])
