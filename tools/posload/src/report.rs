//! The report as JSON; docs/howto/measure.md explains every name.

use crate::histogram::Histogram;
use crate::message::KIND_NAMES;
use crate::plan::Plan;
use crate::stats::{Stats, FAULT_NAMES, STAGE_NAMES};
use crate::terminal::Totals;
use std::fmt::Write;

pub struct Balance {
    pub tid: [u8; 8],
    pub mid: [u8; 15],
    pub totals: Totals,
    pub approved: u64,
}

pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 32 => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `{...}` of names and values that are JSON already.
pub fn object<K: AsRef<str>>(pairs: impl IntoIterator<Item = (K, String)>) -> String {
    let all: Vec<String> =
        pairs.into_iter().map(|(key, value)| format!("{}:{value}", quoted(key.as_ref()))).collect();
    format!("{{{}}}", all.join(","))
}

pub fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(","))
}

fn latency(histogram: &Histogram) -> String {
    let shares = [
        ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999),
        ("p99.99", 0.9999), ("p99.999", 0.99999),
    ];
    let mut pairs = vec![
        ("count", histogram.count.to_string()), ("mean", histogram.mean().to_string()),
        ("max", histogram.max.to_string()),
    ];
    pairs.extend(shares.iter().map(|&(name, share)| (name, histogram.at(share).to_string())));
    object(pairs)
}

/// Points for a plot whose axis is 1 / (1 - share): share and nanoseconds.
fn curve(histogram: &Histogram) -> String {
    let mut points = Vec::new();
    let mut rest = 1.0f64;
    while histogram.count > 0 && rest * histogram.count as f64 >= 0.5 {
        points.push(format!("[{},{}]", 1.0 - rest, histogram.at(1.0 - rest)));
        rest /= 10f64.powf(0.1);
    }
    if histogram.count > 0 {
        points.push(format!("[1,{}]", histogram.max));
    }
    list(points)
}

pub fn json(plan: &Plan, stats: &Stats, balances: &[Balance], wall_ns: u64) -> String {
    let seconds = stats.end_ns.saturating_sub(stats.begin_ns) as f64 / 1e9;
    let counts = [
        ("due", stats.due), ("answered", stats.answered), ("unsent", stats.unsent), ("lost", stats.lost),
        ("sent", stats.sent), ("errors", stats.errors_total), ("bytes_sent", stats.bytes_sent),
        ("bytes_received", stats.bytes_received), ("sends", stats.sends), ("receives", stats.receives),
        ("settled", stats.settled), ("balanced", stats.balanced),
    ];
    let verified = [
        ("macs", stats.macs_verified), ("fields", stats.fields_checked), ("unverified", stats.unverified),
        ("unsigned_refusals", stats.unsigned_refusals),
        ("mac_errors", stats.errors.get("mac").copied().unwrap_or(0)),
    ];
    let numbers = |pairs: &[(&'static str, u64)]| object(pairs.iter().map(|&(k, v)| (k, v.to_string())));
    let kinds = object(KIND_NAMES.iter().zip(&stats.kinds).filter(|(_, kind)| kind.sent > 0).map(
        |(name, kind)| {
            let pairs = [
                ("sent", kind.sent.to_string()), ("answered", kind.answered.to_string()),
                ("approved", kind.approved.to_string()), ("latency_ns", latency(&kind.latency)),
            ];
            (name, object(pairs))
        },
    ));
    let codes = object(
        stats.codes.iter().map(|(code, n)| (String::from_utf8_lossy(code).into_owned(), n.to_string())),
    );
    let planted = |p: &crate::stats::Planted| {
        numbers(&[("planted", p.planted), ("as_expected", p.as_expected), ("otherwise", p.otherwise)])
    };
    let mut faults: Vec<(&str, String)> =
        FAULT_NAMES.iter().zip(&stats.faults).map(|(name, p)| (*name, planted(p))).collect();
    faults.push(("slow_reader", planted(&stats.slow)));
    let series = list(stats.series.iter().map(|point| {
        format!(
            "[{:.4},{},{},{},{},{},{},{}]", point.end_ns as f64 / 1e9, point.due, point.answered,
            point.errors, point.in_flight, point.latency.at(0.5), point.latency.at(0.99), point.latency.max
        )
    }));
    let terminals = list(balances.iter().map(|balance| {
        let t = &balance.totals;
        format!(
            "[{},{},{},{},{},{},{}]", quoted(&String::from_utf8_lossy(&balance.tid)),
            quoted(&String::from_utf8_lossy(&balance.mid)), t.debit, t.debits, t.credit, t.credits, balance.approved
        )
    }));
    let load = object([
        ("connections", plan.connections.to_string()), ("depth", plan.depth.to_string()),
        ("terminals", plan.terminals.len().to_string()), ("threads", plan.threads.to_string()),
        ("arrival", quoted(&plan.arrival)), ("rate", format!("{}", plan.rate)),
        ("duration_s", format!("{}", plan.duration_ns as f64 / 1e9)), ("seed", plan.seed.to_string()),
    ]);
    object([
        ("posload", "1".into()),
        ("load", load),
        ("seconds", format!("{seconds:.6}")),
        ("wall_seconds", format!("{:.6}", wall_ns as f64 / 1e9)),
        ("rate", format!("{:.1}", stats.answered as f64 / seconds.max(1e-9))),
        ("counts", numbers(&counts)),
        ("latency_ns", latency(&stats.from_due)),
        ("latency_from_send_ns", latency(&stats.from_sent)),
        ("lateness_ns", latency(&stats.lateness)),
        ("held_ns", latency(&stats.held)),
        ("curve", curve(&stats.from_due)),
        ("curve_from_send", curve(&stats.from_sent)),
        ("kinds", kinds),
        ("codes", codes),
        ("verified", numbers(&verified)),
        ("errors", object(stats.errors.iter().map(|(what, n)| (*what, n.to_string())))),
        ("examples", list(stats.examples.iter().map(|text| quoted(text)))),
        ("faults", object(faults)),
        ("stages_ns", object(STAGE_NAMES.iter().zip(stats.stages_ns).map(|(name, ns)| (*name, ns.to_string())))),
        ("cpu_ns", stats.cpu_ns.to_string()),
        ("core_wait_ns", stats.core_wait_ns.to_string()),
        ("series_columns", list(["end_s", "due", "answered", "errors", "in_flight", "p50_ns", "p99_ns", "max_ns"].iter().map(|s| quoted(s)))),
        ("series", series),
        ("terminal_columns", list(["tid", "mid", "debit", "debits", "credit", "credits", "approved"].iter().map(|s| quoted(s)))),
        ("terminals", terminals),
    ])
}
