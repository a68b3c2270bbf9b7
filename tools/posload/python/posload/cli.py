"""`posload`: load a host, look at what it did. 压测

    posload quick    a load from a few options
    posload run      a load from a plan in TOML
    posload audit    a journal proved and added up anew
    posload page     a report as one page of plots
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from posload.auditor import as_json, audit
from posload.native import LoadError, run
from posload.picture import write_page
from posload.plan import ARRIVALS, MACS, SIGN_ONS, Plan, PlanError, roster_of
from posload.report import Report

FINE, FOUND, USAGE, CANNOT = 0, 1, 2, 3
EPILOG = """\
exit codes: 0 every answer was right; 1 something was not, or was lost; 2 wrong use; 3 no run
退出码：0 全部正确；1 有错误或丢失；2 用法错误；3 无法运行"""
QUICK = """\
A load from a few options. Terminals sign on, trade, and settle at the end; every answer's fields
and MAC are checked. With --rate the loop is open: each request has a moment at which it is due, and
its latency counts from then, whether or not it could be sent. Without, it is closed: as many as the
links hold. 开环压测从应发时刻计时；闭环压测受在途数限制。

  posload quick --port 9000 --roster terminals.csv                          closed loop, 16 x 16
  posload quick --port 9000 --roster terminals.csv --rate 20000 --arrival poisson
  posload quick --port 9000 --roster terminals.csv --connections 64 --depth 64 --duration 30
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="posload", description="A load generator for ISO 8583 engines that does not lie.\n"
        "ISO 8583 压力发生器：逐笔验证，从应发时刻计时。",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, short: str, long: str) -> argparse.ArgumentParser:
        return verbs.add_parser(
            name, help=short, description=long, epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    quick = verb("quick", "a load from a few options 快速压测", QUICK)
    _quick_options(quick)
    plan = verb("run", "a load from a plan 按计划压测", RUN)
    plan.add_argument("plan", type=Path, metavar="PLAN.toml")
    for each in (quick, plan):
        each.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
        each.add_argument("--page", type=Path, metavar="FILE", help="write it as a page of plots")
        each.add_argument("--quiet", action="store_true", help="no line a second on stderr")
    proof = verb("audit", "a journal proved and added up anew 独立审计", AUDIT)
    proof.add_argument("pages", type=Path, metavar="PAGES", help="a journal, or a dump of it")
    proof.add_argument("--report", type=Path, metavar="FILE", help="a run's: totals must agree")
    proof.add_argument("--after", type=int, default=0, metavar="SEQUENCE",
                       help="the last entry before that run (0)")  # fmt: skip
    proof.add_argument("--json", action="store_true", help="print everything as JSON")
    page = verb("page", "a report as one page of plots 图表页", PAGE)
    page.add_argument("report", type=Path, metavar="REPORT.json")
    page.add_argument("-o", "--output", type=Path, metavar="FILE", help="REPORT.html")
    page.add_argument("--stat", type=Path, metavar="FILE",
                      help="what `posengine stat --format json` said: its stages too")  # fmt: skip
    return parser


AUDIT = """\
Goes through every page of a journal: CRC-32C, SHA-256, chain, sequences, columns; adds up counts
and each terminal's totals; holds every closed batch against the totals of its settlement, and a
run's report against it all. Prints agreement, or the first disagreement. 逐页校验并独立复算。

  posload audit journal --report report.json
"""
PAGE = """\
One HTML file without references to anything else: percentiles, throughput, errors, stages, counts.

  posload quick --port 9000 --roster terminals.csv --json report.json && posload page report.json
"""
RUN = """\
A load from a plan in TOML; its keys are those of docs/howto/measure.md. 按 TOML 计划压测。

  port = 9000
  roster = "terminals.csv"          # tid,mid,tmk: test keys only
  connections = 64                  # links, each shared by many terminals
  depth = 64                        # messages in flight on each
  arrival = "poisson"               # closed, constant, poisson, recorded
  rate = 50_000                     # a second, over all links
  duration_s = 30
  mix = { sale = 90, void = 3, refund = 2, balance = 4, reversal = 1 }
  faults = { wrong_mac = 0.001, repeat = 0.01, cut = 0.001, late_reversal = 0.005 }
"""


def _quick_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, required=True)
    add("--roster", type=Path, required=True, metavar="CSV", help="tid,mid,tmk with a header line")
    add("--connections", type=int, default=16, help="links (16)")
    add("--depth", type=int, default=16, help="messages in flight on a link (16)")
    add("--duration", type=float, default=10.0, metavar="S", help="seconds (10)")
    add("--count", type=int, default=0, help="end after so many requests")
    add("--rate", type=float, default=0.0, help="requests a second: an open loop")
    add("--arrival", choices=ARRIVALS[1:3], default="constant", help="with --rate (constant)")
    add("--mac", choices=MACS, default="unionpay-ecb")
    add("--sign-on", choices=SIGN_ONS, default="003", help="60.3 of the sign-on (003)")
    add("--threads", type=int, choices=(1, 2), default=1)
    add("--clear", action="store_true", help="first close batches that an earlier run left open")


def _quick_plan(words: argparse.Namespace) -> Plan:
    return Plan(
        port=words.port, host=words.host, connections=words.connections, depth=words.depth,
        duration_s=words.duration, count=words.count, rate=words.rate, mac=words.mac,
        arrival=words.arrival if words.rate else "closed", sign_on=words.sign_on,
        threads=words.threads, clears=words.clear, quiet=words.quiet,
        terminals=roster_of(words.roster),
    )  # fmt: skip


def _load(words: argparse.Namespace) -> int:
    plan = _quick_plan(words) if words.verb == "quick" else Plan.load(words.plan)
    if words.quiet and not plan.quiet:
        plan = Plan(**{**{name: getattr(plan, name) for name in Plan.__slots__}, "quiet": True})
    report = run(plan)
    print(report)
    _keep(report, words)
    return FINE if report.is_clean else FOUND


def _keep(report: Report, words: argparse.Namespace) -> None:
    if words.json is not None:
        report.save(words.json)
    if words.page is not None:
        write_page(report, words.page)


def _audit(words: argparse.Namespace) -> int:
    report = _report_of(words.report) if words.report else None
    finding = audit(words.pages, report=report, after=words.after)
    print(as_json(finding) if words.json else finding)
    return FINE if finding.agrees else FOUND


def _page(words: argparse.Namespace) -> int:
    output = words.output or words.report.with_suffix(".html")
    stat = json.loads(words.stat.read_text("utf-8")) if words.stat else None
    write_page(_report_of(words.report), output, stat=stat)
    print(output)
    return FINE


def _report_of(path: Path) -> Report:
    try:
        return Report.load(path)
    except (OSError, ValueError) as error:
        raise PlanError(f"{path} is no report: {error}") from error


def main() -> None:
    """The console script."""
    words = _parser().parse_args()
    try:
        verbs = {"audit": _audit, "page": _page}
        sys.exit(verbs.get(words.verb, _load)(words))
    except PlanError as error:
        print(f"posload: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except LoadError as error:
        print(f"posload: {error}", file=sys.stderr)
        sys.exit(CANNOT)


if __name__ == "__main__":
    main()
