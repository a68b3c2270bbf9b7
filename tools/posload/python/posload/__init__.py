"""posload: a load generator for ISO 8583 engines that does not lie.

    import posload

    report = posload.run(posload.Plan.load(Path("plan.toml")))
    report.rate, report.latency_ns["p99"], report.errors, report.is_clean

What it sends and verifies is written in Rust from the standards and the public description of the
UnionPay terminal dialect, by nobody who looked at the engine's own code.
"""

from __future__ import annotations

from posload.auditor import Finding, audit
from posload.native import LoadError, mac, run
from posload.picture import write_page
from posload.plan import Plan, PlanError, Terminal, plan_of, roster_of
from posload.report import Report

__all__ = [
    "Finding", "LoadError", "Plan", "PlanError", "Report", "Terminal", "audit", "mac", "plan_of",
    "roster_of", "run", "write_page",
]  # fmt: skip
