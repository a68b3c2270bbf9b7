"""What can go wrong between a terminal and its host, by rate and seed.

lost      the answer never reaches the terminal        ─▶ reversal, or sent again
unsent    the request never reaches the host           ─▶ reversal of nothing
late      the terminal gives up before the answer      ─▶ reversal; the answer comes later
crossed   the reversal overtakes its request           ─▶ a late original, to be refused
repeat    the same bytes again after the answer        ─▶ the same answer, nothing posted
twin      the same bytes twice before the answer       ─▶ as repeat
mac       the request's MAC is wrong                   ─▶ A0, sign-on, reversal
cut       the line breaks, in or after the request     ─▶ reversal on a new line
total     settle says one wrong total                  ─▶ not balanced, batch upload
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from posengine.simulate.exchange import Shot

NAMES = ("lost", "unsent", "late", "crossed", "repeat", "twin", "mac", "cut", "total")
_ANYWHERE = frozenset({"lost", "cut", "unsent"})  # the others need a MAC or a stored answer


@dataclass(frozen=True, slots=True)
class Faults:
    """Rates between 0 and 1; one fault a message at most."""

    rates: Mapping[str, float]

    @classmethod
    def parse(cls, words: str) -> Faults:
        """``"lost=0.01,late=0.02"``; ``""`` is none. Raises: ValueError with what is wrong."""
        rates: dict[str, float] = {}
        for word in filter(None, words.replace(" ", "").split(",")):
            name, _, number = word.partition("=")
            if name not in NAMES:
                raise ValueError(f"no fault {name!r}; there are {', '.join(NAMES)}")
            try:
                rates[name] = float(number)
            except ValueError:
                raise ValueError(f"fault {name} needs a rate, as in {name}=0.01") from None
            if not 0 <= rates[name] <= 1:
                raise ValueError(f"the rate of {name} must lie between 0 and 1")
        if sum(rate for name, rate in rates.items() if name != "total") > 1:
            raise ValueError("the rates of all faults add up to more than 1")
        return cls(rates)

    def draw(self, shot: Shot, chance: Random) -> str:
        """The fault of this message, "" for none."""
        if not self.rates:
            return ""
        number = chance.random()
        for name, rate in self.rates.items():
            if name == "total":
                continue
            if number < rate:
                return name if shot.has_mac or name in _ANYWHERE else ""
            number -= rate
        return ""

    def plants_wrong_total(self, chance: Random) -> bool:
        return chance.random() < self.rates.get("total", 0.0)


def spoil_mac(frame: bytes) -> bytes:
    """The frame with another last character in its field 64."""
    return frame[:-1] + (b"1" if frame[-1:] == b"0" else b"0")
