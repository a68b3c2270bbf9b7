"""One entry as a frozen fact; what the journal does not hold, it cannot show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from posengine._native.decide import reasons
from posengine.errors import EntryForm
from posengine.vocabulary import Flag, Kind, Outcome, kind_of, outcome_of

_REASONS = [(name, text) for name, _, text in reasons()]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the journal: `pos_entry` of posengine/journal.h, its texts without padding.

    Texts are empty and numbers 0 where absent. Amounts are minor units, times UTC nanoseconds.
    Everything is copied: an entry outlives its journal.
    """

    sequence: int
    original: int
    """Sequence that this one refers to (repeat, void, refund, reversal); 0 for none."""
    received_at_ns: int
    terminal_at_ns: int
    amount_minor: int
    staged_after_us: int
    flags: int
    """``posengine.vocabulary.Flag``: facts that were known when the entry was written."""
    processing: int
    stan: int
    batch: int
    original_batch: int
    original_stan: int
    bin: int
    line: int
    last4: int
    mti: int
    """As its digits are written: 0x0200."""
    currency: int
    entry_mode: int
    network: int
    kind: int
    """``posengine.vocabulary.Kind``; see ``kind_word``."""
    outcome: int
    """``posengine.vocabulary.Outcome``; see ``outcome_word``."""
    type: int
    condition: int
    requirement: int
    response: str
    reason: str
    tid: str
    mid: str
    rrn: str
    original_rrn: str
    auth: str
    operator_id: str
    pan_token: bytes
    fingerprint: bytes
    request: bytes
    """The redacted request: u8 field, u16 size (little-endian), wire bytes, and so on."""
    answer: bytes
    """The answer's template; empty where nothing was answered."""
    why: int
    """Number of the reason it was decided so (`reason.def`); 0 in pages of the first build."""

    @property
    def kind_word(self) -> Kind:
        """The kind; ``UNKNOWN`` for one of a later build."""
        return kind_of(self.kind)

    @property
    def outcome_word(self) -> Outcome:
        """The outcome; ``NONE`` for one of a later build."""
        return outcome_of(self.outcome)

    @property
    def why_word(self) -> tuple[str, str]:
        """Why it was decided so: name and text. A reason of a later build has its number."""
        if self.why < len(_REASONS):
            return _REASONS[self.why]
        return str(self.why), "a reason that this build does not know"

    @property
    def card(self) -> str:
        """The account number as it may be shown, ``622500******0014``; empty where none was."""
        if not self.flags & Flag.PAN:
            return ""
        return f"{self.bin:06d}******{self.last4:04d}"

    @property
    def received_at(self) -> datetime:
        """When the request came, UTC, to the microsecond."""
        return datetime.fromtimestamp(self.received_at_ns // 1000 / 1_000_000, UTC)

    @property
    def fields(self) -> dict[int, bytes]:
        """The redacted request by field: the wire bytes that the dialect lets the journal keep.

        Raises:
            EntryForm: the bytes do not add up.
        """
        found: dict[int, bytes] = {}
        at, data = 0, self.request
        while at < len(data):
            size = int.from_bytes(data[at + 1 : at + 3], "little")
            value = data[at + 3 : at + 3 + size]
            if at + 3 > len(data) or len(value) != size:
                raise EntryForm(f"entry {self.sequence}: its request ends within field {data[at]}")
            found[data[at]] = value
            at += 3 + size
        return found
