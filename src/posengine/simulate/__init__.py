"""A fleet of UnionPay terminals against any host, with faults.

habits ─Want▶ terminal ─Shot▶ line ─bytes▶ fleet ─sockets▶ host
         ledger ◀─Reply─           ◀─frames──

cards     test cards and codes           terminal   one terminal as a state machine
trades    messages per the field matrix  closing    settle, batch upload, sign-off
exchange  is this answer to be believed  line       faults between terminal and host
habits    what cashiers do all day       fleet      many terminals over sockets
ledger    what a terminal believes       report     counts, times, disagreements
"""

from posengine.simulate.faults import NAMES as FAULT_NAMES
from posengine.simulate.faults import Faults
from posengine.simulate.fleet import Fleet, Plan, beliefs
from posengine.simulate.report import Disagreement, Report
from posengine.simulate.terminal import Identity, Options, Terminal
from posengine.simulate.trades import Want

__all__ = [
    "FAULT_NAMES",
    "Disagreement",
    "Faults",
    "Fleet",
    "Identity",
    "Options",
    "Plan",
    "Report",
    "Terminal",
    "Want",
    "beliefs",
]
