"""A report as one HTML file: plots drawn as SVG, no reference to anything outside it.

The latency plot's axis is that of the HDR histograms: each step to the right is ten times rarer.
Below it the same from the moment of sending, which is what a closed loop would have told.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from posload.report import Report, span

WIDTH, HEIGHT = 860, 280
LEFT, RIGHT, TOP, BOTTOM = 76, 18, 14, 34
Point = tuple[float, float]
STYLE = """\
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:900px;margin:2rem auto;
padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.05rem;margin:1.8rem 0 .3rem}
.verdict{padding:.5rem .8rem;border-radius:4px;font-weight:600}
.good{background:#e3f4e6}.bad{background:#fde4e1}
table{border-collapse:collapse;margin:.4rem 0}td,th{padding:.15rem .8rem .15rem 0;text-align:right}
td:first-child,th:first-child{text-align:left}th{font-weight:600;border-bottom:1px solid #bbb}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#444}
.grid{stroke:#e4e4e4}.a{stroke:#0b62a8;fill:none;stroke-width:2}.b{stroke:#c2571a;fill:none;
stroke-width:2;stroke-dasharray:6 4}.c{stroke:#3b8a3e;fill:none;stroke-width:2}
.bar{fill:#0b62a8}.bad-bar{fill:#c0281c}p.note{color:#555;margin:.2rem 0}pre{overflow:auto}
#hint{position:fixed;pointer-events:none;background:#1a1a1a;color:#fff;padding:.15rem .5rem;
border-radius:3px;font-size:13px;display:none}"""
SCRIPT = """\
const hint=document.getElementById("hint");
for(const dot of document.querySelectorAll("[data-said]")){
 dot.addEventListener("mousemove",e=>{hint.textContent=dot.dataset.said;hint.style.display="block";
  hint.style.left=e.clientX+12+"px";hint.style.top=e.clientY-28+"px"});
 dot.addEventListener("mouseleave",()=>hint.style.display="none")}"""


class Plot:
    """One SVG: axes that are given as functions to 0..1, lines and bars on them."""

    def __init__(self, x: Callable[[float], float], y: Callable[[float], float]) -> None:
        self.x, self.y = x, y
        self.parts: list[str] = []

    def at(self, point: Point) -> Point:
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + self.x(point[0]) * wide, HEIGHT - BOTTOM - self.y(point[1]) * high

    def across(self, value: float, label: str) -> None:
        """A grid line for a value of y."""
        _, y = self.at((0, value))
        self.parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )

    def up(self, value: float, label: str) -> None:
        """A grid line for a value of x, which must be on the axis."""
        x = LEFT + self.x(value) * (WIDTH - LEFT - RIGHT)
        self.parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label}</text>'
        )

    def line(self, kind: str, points: Sequence[Point], said: Callable[[Point], str]) -> None:
        places = [self.at(point) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        self.parts.append(f'<polyline class="{kind}" points="{path}"/>')
        for point, (x, y) in zip(points, places, strict=True):
            self.parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="transparent" '
                f'data-said="{html.escape(said(point))}"/>'
            )

    def bars(self, kind: str, points: Sequence[Point], width: float, noun: str) -> None:
        for point in points:
            (x, y), (_, floor) = self.at(point), self.at((point[0], 0))
            self.parts.append(
                f'<rect class="{kind}" x="{x - width / 2:.1f}" width="{max(width - 1, 1):.1f}" '
                f'y="{y:.1f}" height="{floor - y:.1f}" data-said="{point[0]:.1f} s: '
                f'{point[1]:,.0f} {noun}"/>'
            )

    def __str__(self) -> str:
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(self.parts)}</svg>'


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _logarithmic(steps: Sequence[float]) -> Callable[[float], float]:
    low, high = math.log10(steps[0]), math.log10(steps[-1])
    return lambda value: (math.log10(max(value, steps[0])) - low) / (high - low)


def _percentiles(facts: Mapping[str, Any]) -> str:
    due, sent = facts["curve"], facts["curve_from_send"]
    if not due:
        return "<p>nothing was answered 无应答</p>"
    values = [max(ns, 1) for _, ns in (*due, *sent)]
    steps = _decades(min(values), max(values))
    rarest = max(1.0, *(-math.log10(1 - share) for share, _ in due if share < 1))
    plot = Plot(lambda nines: min(nines / rarest, 1.0), _logarithmic(steps))
    for step in steps:
        plot.across(step, span(step))
    for nines in range(int(rarest) + 1):
        digits = max(nines - 2, 0)
        plot.up(nines, f"{100 * (1 - 10.0**-nines):.{digits}f} %")
    for kind, curve in (("b", sent), ("a", due)):
        points = [
            (rarest if share >= 1 else -math.log10(1 - share), float(ns)) for share, ns in curve
        ]
        plot.line(kind, points, lambda p: f"{100 * (1 - 10 ** -p[0]):.4g} %: {span(p[1])}")
    return str(plot)


def _over_time(facts: Mapping[str, Any]) -> tuple[str, str, str]:
    """Throughput, latency and errors, interval by interval."""
    columns, series = facts["series_columns"], facts["series"]
    rows = [dict(zip(columns, row, strict=True)) for row in series]
    if not rows:
        return "", "", ""
    end = max(rows[-1]["end_s"], 1e-3)
    begins = [0.0, *(row["end_s"] for row in rows[:-1])]
    spans = [max(row["end_s"] - begin, 1e-9) for row, begin in zip(rows, begins, strict=True)]
    rates = [(row["end_s"], row["answered"] / s) for row, s in zip(rows, spans, strict=True)]
    asked = [(row["end_s"], row["due"] / s) for row, s in zip(rows, spans, strict=True)]
    most = max(rate for _, rate in (*rates, *asked)) or 1.0

    def axes(y: Callable[[float], float]) -> Plot:
        plot = Plot(lambda t: t / end, y)
        for part in range(6):
            plot.up(end * part / 5, f"{end * part / 5:.3g} s")
        return plot

    flow = axes(lambda rate: rate / most)
    for part in range(5):
        flow.across(most * part / 4, f"{most * part / 4:,.0f}")
    flow.line("b", asked, lambda p: f"{p[0]:.1f} s: {p[1]:,.0f}/s due 应发")
    flow.line("a", rates, lambda p: f"{p[0]:.1f} s: {p[1]:,.0f}/s answered 已答")

    steps = _decades(*_bounds([row[name] for row in rows for name in ("p50_ns", "max_ns")]))
    delay = axes(_logarithmic(steps))
    for step in steps:
        delay.across(step, span(step))
    for kind, name in (("c", "p50_ns"), ("a", "p99_ns"), ("b", "max_ns")):
        points = [(row["end_s"], float(max(row[name], 1))) for row in rows]
        delay.line(kind, points, _said_of(name[:-3]))

    worst = max(max(row["errors"] for row in rows), 1)
    wrong = axes(lambda count: count / worst)
    wrong.across(0, "0")
    wrong.across(worst, f"{worst:,}")
    wide = (WIDTH - LEFT - RIGHT) / len(rows)
    wrong.bars("bad-bar", [(row["end_s"], row["errors"]) for row in rows], wide, "errors 错误")
    return str(flow), str(delay), str(wrong)


def _said_of(name: str) -> Callable[[Point], str]:
    return lambda point: f"{point[0]:.1f} s: {name} {span(point[1])}"


def _bounds(values: Sequence[int]) -> tuple[float, float]:
    seen = [value for value in values if value > 0] or [1]
    return float(min(seen)), float(max(seen))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def cells(tag: str, row: Sequence[object]) -> str:
        texts = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
        return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def _stages(facts: Mapping[str, Any], stat: Mapping[str, Any] | None) -> str:
    answered = max(facts["counts"]["answered"], 1)
    rows: list[Sequence[object]] = [
        (name, f"{ns / answered:,.0f} ns", f"{ns / 1e9:.3f} s")
        for name, ns in facts["stages_ns"].items()
    ]
    rows.append(("CPU in all 处理器合计", f"{facts['cpu_ns'] / answered:,.0f} ns",
                 f"{facts['cpu_ns'] / 1e9:.3f} s"))  # fmt: skip
    text = _table(("posload's own stage 压测端", "each 每笔", "in all 合计"), rows)
    if stat is None:
        return text
    found = []
    for name, stage in stat.get("stages_ns", {}).items():
        if isinstance(stage, Mapping) and stage.get("count"):
            middle, rare = span(stage.get("p50", 0)), span(stage.get("p99", 0))
            found.append((name, stage["count"], middle, rare))
    return text + _table(("the engine's stage 引擎端", "count 次数", "p50", "p99"), found)


def _tables(facts: Mapping[str, Any]) -> str:
    kinds = [
        (name, kind["sent"], kind["answered"], kind["approved"], span(kind["latency_ns"]["p50"]),
         span(kind["latency_ns"]["p99"]), span(kind["latency_ns"]["max"]))
        for name, kind in facts["kinds"].items()
    ]  # fmt: skip
    faults = [
        (name, fault["planted"], fault["as_expected"], fault["otherwise"])
        for name, fault in facts["faults"].items() if fault["planted"]
    ]  # fmt: skip
    verified = facts["verified"]
    parts = [
        "<h2>Counts 计数</h2>",
        _table(
            ("kind 类别", "sent 发出", "answered 已答", "approved 批准", "p50", "p99", "max"), kinds
        ),
        _table(("", "requests 笔数"), list(facts["counts"].items())),
        "<h2>What was verified 已验证的内容</h2>",
        _table(("", "answers 应答"), [
            ("MAC verified 验证 MAC", verified["macs"]),
            ("MAC wrong MAC 错", verified["mac_errors"]),
            ("fields checked 核对域", verified["fields"]),
            ("refusals without a MAC 无 MAC 的拒绝", verified["unsigned_refusals"]),
            ("not verified 未验证", verified["unverified"]),
        ]),
        _table(("response code 应答码", "answers 应答"), list(facts["codes"].items())),
    ]  # fmt: skip
    if faults:
        parts.append("<h2>Faults 故障注入</h2>")
        head = ("fault 故障", "planted 注入", "as expected 符合", "otherwise 不符")
        parts.append(_table(head, faults))
    if facts["errors"]:
        parts.append("<h2>Errors 错误</h2>" + _table(("", ""), list(facts["errors"].items())))
        parts.append("<pre>" + html.escape("\n".join(facts["examples"])) + "</pre>")
    return "".join(parts)


def page_of(report: Report, *, stat: Mapping[str, Any] | None = None) -> str:
    """The whole page."""
    facts = report.facts
    load, latency = facts["load"], report.latency_ns
    flow, delay, wrong = _over_time(facts)
    verdict = (
        '<p class="verdict good">Every answer was right 全部正确</p>' if report.is_clean else
        '<p class="verdict bad">Not every answer was right 存在错误或丢失</p>'
    )  # fmt: skip
    kept = json.dumps(_short(facts), ensure_ascii=False).replace("</", "<\\/")
    manner = load["arrival"] + (f", {load['rate']:,} a second" if load["rate"] else "")
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>posload</title><style>{STYLE}</style></head><body>
<h1>{report.rate:,.0f} a second · 每秒 {report.rate:,.0f} 笔</h1>
<p class="note">{load["terminals"]:,} terminals 终端, {load["connections"]:,} links 连接 ×
{load["depth"]:,} in flight 在途, {html.escape(manner)}; {facts["seconds"]:.2f} s; p50
{span(latency["p50"])}, p99 {span(latency["p99"])}, p99.9 {span(latency["p99.9"])}, max
{span(latency["max"])}</p>{verdict}
<h2>Latency percentiles 延迟百分位</h2><p class="note">solid: from the moment each request was due
实线：自应发时刻; dashed: from when it was sent 虚线：自实发时刻</p>{_percentiles(facts)}
<h2>Throughput 吞吐</h2><p class="note">solid: answered 已答; dashed: due 应发; a second 每秒</p>
{flow}
<h2>Latency over time 延迟随时间</h2><p class="note">p50 (green), p99 (blue), max (dashed)</p>
{delay}
<h2>Errors over time 错误随时间</h2>{wrong}
<h2>Stage costs 各阶段耗时</h2>{_stages(facts, stat)}{_tables(facts)}
<script type="application/json" id="report">{kept}</script>
<div id="hint"></div><script>{SCRIPT}</script></body></html>
"""


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The report without its list of terminals, kept in the page for programs."""
    return {name: value for name, value in facts.items() if name != "terminals"}


def write_page(report: Report, path: Path, *, stat: Mapping[str, Any] | None = None) -> None:
    path.write_text(page_of(report, stat=stat), "utf-8")
