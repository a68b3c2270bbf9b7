"""A run's report: the facts as JSON has them, and what a person wants to know first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Report:
    """What a run has seen. Every name of the JSON is in docs/howto/measure.md."""

    facts: Mapping[str, Any]

    @staticmethod
    def load(path: Path) -> Report:
        return Report(json.loads(path.read_text("utf-8")))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.facts, indent=1, ensure_ascii=False), "utf-8")

    @property
    def rate(self) -> float:
        """Answers a second, of what the schedule asked for."""
        return float(self.facts["rate"])

    @property
    def counts(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.facts["counts"]
        return found

    @property
    def latency_ns(self) -> Mapping[str, int]:
        """From the moment a request was due."""
        found: Mapping[str, int] = self.facts["latency_ns"]
        return found

    @property
    def errors(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.facts["errors"]
        return found

    @property
    def is_clean(self) -> bool:
        """Everything due was answered as it must be, and every MAC that came was verified."""
        counts = self.counts
        return (
            counts["errors"] == 0 and counts["lost"] == 0 and counts["unsent"] == 0
            and counts["due"] == counts["answered"]
            and self.facts["verified"]["unverified"] == 0
        )  # fmt: skip

    def __str__(self) -> str:
        counts, latency, verified = self.counts, self.latency_ns, self.facts["verified"]
        sent = self.facts["latency_from_send_ns"]
        lines = [
            f"due {counts['due']:,}, answered {counts['answered']:,} in "
            f"{self.facts['seconds']:.2f} s: {self.rate:,.0f} a second",
            "latency from due 自应发时刻起  " + _line(latency),
            "latency from send 自实发时刻起 " + _line(sent),
            f"verified 已验证: {verified['macs']:,} MACs, {verified['fields']:,} answers' fields; "
            f"not verified {verified['unverified']:,}",
            f"settled {counts['settled']:,}, balanced {counts['balanced']:,}",
            f"unsent {counts['unsent']:,}, lost {counts['lost']:,}, errors {counts['errors']:,}"
            + "".join(f"; {what} {number:,}" for what, number in self.errors.items()),
        ]
        for name, fault in self.facts["faults"].items():
            if fault["planted"]:
                lines.append(
                    f"fault {name}: {fault['planted']:,} planted, {fault['as_expected']:,} as "
                    f"expected, {fault['otherwise']:,} otherwise"
                )
        lines += [f"  {example}" for example in self.facts["examples"]]
        return "\n".join(lines)


def _line(latency: Mapping[str, int]) -> str:
    names = ("p50", "p90", "p99", "p99.9", "max")
    return "  ".join(f"{name} {span(latency[name])}" for name in names)


def span(ns: float) -> str:
    """A duration as a person reads it."""
    if ns < 1e6:
        return f"{ns / 1e3:.0f} µs"
    return f"{ns / 1e6:.2f} ms" if ns < 1e9 else f"{ns / 1e9:.2f} s"
