"""What a run of terminals found: counts, times, and every disagreement with the host.

Reports of several processes add up with ``merge``. A disagreement is a sentence that names its
terminal; the run's seed and that terminal's number are enough to see it again alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

DISAGREEMENTS_KEPT_MAX = 200
_BUCKETS_PER_E = 64  # a bucket spans 1.6 % of its value


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Host and terminal do not see the same thing."""

    tid: str
    batch: str
    stan: str
    what: str  # a word to count by
    text: str  # a sentence for a person

    def __str__(self) -> str:
        return f"{self.tid} batch {self.batch} STAN {self.stan}: {self.what}: {self.text}"


@dataclass(slots=True)
class Latencies:
    """A histogram of logarithmic buckets: percentiles within 1.6 %, memory independent of count.

    Units: seconds in and out.
    """

    counts: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0

    def add(self, latency_s: float) -> None:
        self.counts[int(math.log(max(latency_s, 1e-6)) * _BUCKETS_PER_E)] += 1
        self.longest_s = max(self.longest_s, latency_s)

    def percentile(self, percent: float) -> float:
        """The upper edge of the bucket that holds it, at most the longest seen; 0 of nothing."""
        wanted = math.ceil(self.counts.total() * percent / 100)
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return min(math.exp((bucket + 1) / _BUCKETS_PER_E), self.longest_s)
        return 0.0


@dataclass(slots=True)
class Report:
    """Counts by what happened; ``responses`` by (trade, field 39)."""

    responses: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)
    transactions: int = 0  # wants carried out, whatever came of them
    messages: int = 0  # frames sent
    repeats_equal: int = 0  # repeats that got the same bytes again
    late_replies: int = 0  # came after the terminal had given up, and were ignored
    reversals: int = 0  # taken by the host
    silences: int = 0  # no answer within the time
    reconnects: int = 0
    terminals: int = 0
    settled: int = 0
    balanced: int = 0
    seconds: float = 0.0
    disagreement_count: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)

    def disagree(self, disagreement: Disagreement) -> None:
        self.disagreement_count += 1
        if len(self.disagreements) < DISAGREEMENTS_KEPT_MAX:
            self.disagreements.append(disagreement)

    @property
    def rate(self) -> float:
        """Transactions a second."""
        return self.transactions / self.seconds if self.seconds else 0.0

    def merge(self, others: Iterable[Report]) -> None:
        """Adds what other processes saw; the longest of them says how long it took."""
        for other in others:
            self.responses += other.responses
            self.faults += other.faults
            self.latencies.counts += other.latencies.counts
            self.latencies.longest_s = max(self.latencies.longest_s, other.latencies.longest_s)
            for name in _SUMMED:
                setattr(self, name, getattr(self, name) + getattr(other, name))
            self.seconds = max(self.seconds, other.seconds)
            kept = DISAGREEMENTS_KEPT_MAX - len(self.disagreements)
            self.disagreements += other.disagreements[:kept]

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and text, stable names. Times in milliseconds."""
        latency_ms = {
            f"p{percent:g}": round(self.latencies.percentile(percent) * 1000, 3)
            for percent in (50, 90, 99, 99.9)
        }
        responses: dict[str, dict[str, int]] = {}
        for (trade, code), count in sorted(self.responses.items()):
            responses.setdefault(trade, {})[code] = count
        return {
            **{name: getattr(self, name) for name in _SUMMED},
            "seconds": round(self.seconds, 3),
            "transactions_per_s": round(self.rate, 1),
            "latency_ms": {**latency_ms, "max": round(self.latencies.longest_s * 1000, 3)},
            "responses": responses,
            "faults": dict(sorted(self.faults.items())),
            "disagreements": [
                {"tid": d.tid, "batch": d.batch, "stan": d.stan, "what": d.what, "text": d.text}
                for d in self.disagreements
            ],
        }


_SUMMED = (
    "transactions",
    "messages",
    "repeats_equal",
    "late_replies",
    "reversals",
    "silences",
    "reconnects",
    "terminals",
    "settled",
    "balanced",
    "disagreement_count",
)
