"""The figures as pictures: one HTML file with drawings inside, and nothing from a network.

    results of the benches ─▶ a bar a question, against its bar ─▶ a table ─▶ cost cards

A drawn bar is the ratio over what the issue's bar asks (1 is just met), on a logarithmic scale; its
whisker is the spread of the runs. Questions without a bar are in the table alone.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any

WIDTH = 1000
LABEL = 430
ROW = 26
DECADES = 1.5  # the scale goes from 1/30 of the bar to 30 times it

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1060px;margin:2em auto;color:#1b1f24}
h1{font-size:1.5em}h2{margin-top:2em;font-size:1.15em}small,.quiet{color:#667}
table{border-collapse:collapse;width:100%;font-size:13px}
td,th{padding:.25em .6em;border-bottom:1px solid #e3e6ea;text-align:right}
td:first-child,th:first-child{text-align:left}.holds{color:#116b3a}.missed{color:#a3262b}
svg text{font:12px system-ui,sans-serif;fill:#1b1f24}
"""


def _at(value: float) -> float:
    """Where a multiple of the bar is drawn."""
    inside = min(max(math.log10(max(value, 1e-9)), -DECADES), DECADES)
    return LABEL + (inside + DECADES) / (2 * DECADES) * (WIDTH - LABEL - 90)


def _bar_of(answer: dict[str, Any]) -> tuple[float, bool] | None:
    """The bar as a number, and whether less is better; None where there is none."""
    text = answer["bar"]
    if not text:
        return None
    number = "".join(each for each in text.split()[1] if each.isdigit() or each == ".")
    return float(number), text.startswith("≤")


def _drawn(answers: list[dict[str, Any]]) -> str:
    rows = []
    for answer in answers:
        bar = _bar_of(answer)
        measured = answer["ratio"] if answer["ratio"] is not None else answer["figure"]
        if bar is None or not measured:
            continue
        wanted, less_is_better = bar
        over = [wanted / max(v, 1e-12) if less_is_better else v / wanted
                for v in (measured, *answer["spread"])]  # fmt: skip
        y = len(rows) * ROW + 30
        color = "#2f9e64" if answer["holds"] else "#d0484e"
        left, right = sorted((_at(1), _at(over[0])))
        low, high = sorted((_at(over[1]), _at(over[2])))
        unit = "×" if answer["ratio"] is not None else answer["unit"]
        rows.append(
            f'<text x="0" y="{y + 13}">{escape(answer["name"])}</text>'
            f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 1):.1f}" height="17" '
            f'fill="{color}" rx="2"/>'
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 8.5}" y2="{y + 8.5}" '
            f'stroke="#1b1f24" stroke-width="1.5"/>'
            f'<text x="{WIDTH}" y="{y + 13}" text-anchor="end">{_number(measured)} '
            f"{escape(unit)}</text>"
        )
    if not rows:
        return ""
    height = len(rows) * ROW + 40
    marks = "".join(
        f'<line x1="{_at(m):.1f}" x2="{_at(m):.1f}" y1="22" y2="{height}" '
        f'stroke="{"#1b1f24" if m == 1 else "#dde1e6"}"/>'
        f'<text x="{_at(m):.1f}" y="14" text-anchor="middle">{label}</text>'
        for m, label in ((0.1, "1/10"), (0.5, "1/2"), (1, "bar 目标"), (2, "2 ×"), (10, "10 ×"))
    )
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="100%">{marks}{"".join(rows)}</svg>'


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, (int, float)) else ""


def _table(answers: list[dict[str, Any]]) -> str:
    head = "".join(
        f"<th>{each}</th>" for each in
        ("question 问题", "figure 数值", "unit 单位", "beside 对照", "ratio 比值", "bar 目标",
         "spread 离散", "runs 次数")
    )  # fmt: skip
    lines = []
    for answer in answers:
        mark = {True: "holds", False: "missed", None: ""}[answer["holds"]]
        ratio = f"{answer['ratio']:,.2f} ×" if answer["ratio"] is not None else ""
        beside = f"{_number(answer['beside'])} {escape(answer['rival'] or '')}"
        low, high = answer["spread"]
        lines.append(
            f'<tr><td>{escape(answer["name"])}</td><td>{_number(answer["figure"])}</td>'
            f'<td>{escape(answer["unit"])}</td><td>{beside}</td><td class="{mark}">{ratio}</td>'
            f'<td class="{mark}">{escape(answer["bar"] or "")}</td>'
            f'<td>{_number(low)} .. {_number(high)}</td><td>{answer["runs"]}</td></tr>'
        )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _card(name: str, card: dict[str, Any]) -> str:
    """What one transaction costs, as the bench left it."""
    lines = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(_number(value) or str(value))}</td></tr>"
        for key, value in card.items()
    )
    return f"<h2>Cost card 成本卡: {escape(name)}</h2><table>{lines}</table>"


def page(results: list[dict[str, Any]], machine: dict[str, object]) -> str:
    """All results as one page."""
    answers = [answer for result in results for answer in result["answers"]]
    barred = [answer for answer in answers if answer["holds"] is not None]
    held = sum(answer["holds"] for answer in barred)
    commits = ", ".join(sorted({str(result.get("commit")) for result in results}))
    facts = " · ".join(f"{key} {value}" for key, value in machine.items())
    parts = [
        f"<h1>posengine: {held} of {len(barred)} bars hold · 目标达成 {held}/{len(barred)}</h1>",
        f'<p class="quiet">commit {escape(commits)} · {escape(facts)}</p>',
        "<p>Each bar is ours beside its rival, measured side by side in one run, over what was "
        "asked; right of the line is better. 右侧为优于目标，刻度为对数。</p>",
        _drawn(answers), "<h2>Figures 全部数据</h2>", _table(answers),
    ]
    parts += [
        _card(result["bench"], result["cost_card"]) for result in results if "cost_card" in result
    ]
    for result in results:
        if result["failure"]:
            parts.append(f'<p class="missed">{escape(result["bench"])}: {result["failure"]}</p>')
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>posengine bench</title>'
        f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>"
    )
