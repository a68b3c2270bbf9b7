//! What a run has seen: counts, times, faults, and the first examples of what was wrong.

use crate::histogram::Histogram;
use crate::message::KINDS;
use std::collections::BTreeMap;

pub const STAGES: usize = 6;
pub const STAGE_NAMES: [&str; STAGES] = ["wait", "receive", "verify", "build", "sign", "send"];
pub const WAIT: usize = 0;
pub const RECEIVE: usize = 1;
pub const VERIFY: usize = 2;
pub const BUILD: usize = 3;
pub const SIGN: usize = 4;
pub const SEND: usize = 5;
pub const FAULTS: usize = 4;
pub const FAULT_NAMES: [&str; FAULTS] = ["wrong_mac", "repeat", "cut", "late_reversal"];
const EXAMPLES_MAX: usize = 20;

#[derive(Clone, Default)]
pub struct OfKind {
    pub sent: u64,
    pub answered: u64,
    pub approved: u64,
    pub latency: Histogram,
}

#[derive(Clone, Default)]
pub struct Planted {
    pub planted: u64,
    pub as_expected: u64,
    pub otherwise: u64,
}

#[derive(Clone, Default)]
pub struct Point {
    pub end_ns: u64,
    pub due: u64,
    pub answered: u64,
    pub errors: u64,
    pub in_flight: u64,
    pub latency: Histogram,
}

#[derive(Clone, Default)]
pub struct Stats {
    pub kinds: Vec<OfKind>,
    pub from_due: Histogram,
    pub from_sent: Histogram,
    pub lateness: Histogram,
    pub held: Histogram,
    pub codes: BTreeMap<[u8; 2], u64>,
    pub errors: BTreeMap<&'static str, u64>,
    pub errors_total: u64,
    pub examples: Vec<String>,
    pub faults: [Planted; FAULTS],
    pub slow: Planted,
    pub due: u64,
    pub sent: u64,
    pub answered: u64,
    pub unsent: u64,
    pub lost: u64,
    pub macs_verified: u64,
    pub fields_checked: u64,
    pub unsigned_refusals: u64,
    pub unverified: u64,
    pub settled: u64,
    pub balanced: u64,
    pub series: Vec<Point>,
    pub point: Point,
    pub stages_ns: [u64; STAGES],
    pub cpu_ns: u64,
    pub core_wait_ns: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub sends: u64,
    pub receives: u64,
    pub begin_ns: u64,
    pub end_ns: u64,
}

impl Stats {
    pub fn new() -> Stats {
        Stats { kinds: vec![OfKind::default(); KINDS], ..Stats::default() }
    }

    pub fn error(&mut self, what: &'static str, example: impl FnOnce() -> String) {
        *self.errors.entry(what).or_insert(0) += 1;
        self.errors_total += 1;
        self.point.errors += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(format!("{what}: {}", example()));
        }
    }

    pub fn close_point(&mut self, now_ns: u64, in_flight: u64) {
        self.point.end_ns = now_ns;
        self.point.in_flight = in_flight;
        self.series.push(std::mem::take(&mut self.point));
    }

    pub fn merge(&mut self, other: Stats) {
        for (mine, theirs) in self.kinds.iter_mut().zip(&other.kinds) {
            mine.sent += theirs.sent;
            mine.answered += theirs.answered;
            mine.approved += theirs.approved;
            mine.latency.merge(&theirs.latency);
        }
        self.from_due.merge(&other.from_due);
        self.from_sent.merge(&other.from_sent);
        self.lateness.merge(&other.lateness);
        self.held.merge(&other.held);
        for (code, count) in other.codes {
            *self.codes.entry(code).or_insert(0) += count;
        }
        for (what, count) in other.errors {
            *self.errors.entry(what).or_insert(0) += count;
        }
        self.errors_total += other.errors_total;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
        for (mine, theirs) in self.faults.iter_mut().zip(&other.faults) {
            mine.planted += theirs.planted;
            mine.as_expected += theirs.as_expected;
            mine.otherwise += theirs.otherwise;
        }
        for (mine, theirs) in [
            (&mut self.due, other.due), (&mut self.sent, other.sent),
            (&mut self.answered, other.answered), (&mut self.unsent, other.unsent),
            (&mut self.lost, other.lost), (&mut self.macs_verified, other.macs_verified),
            (&mut self.fields_checked, other.fields_checked),
            (&mut self.unsigned_refusals, other.unsigned_refusals),
            (&mut self.unverified, other.unverified), (&mut self.settled, other.settled),
            (&mut self.balanced, other.balanced), (&mut self.cpu_ns, other.cpu_ns),
            (&mut self.core_wait_ns, other.core_wait_ns),
            (&mut self.bytes_sent, other.bytes_sent), (&mut self.bytes_received, other.bytes_received),
            (&mut self.sends, other.sends), (&mut self.receives, other.receives),
        ] {
            *mine += theirs;
        }
        for (mine, theirs) in self.stages_ns.iter_mut().zip(other.stages_ns) {
            *mine += theirs;
        }
        self.begin_ns = self.begin_ns.min(other.begin_ns);
        self.end_ns = self.end_ns.max(other.end_ns);
        merge_series(&mut self.series, other.series);
    }
}

/// Points are closed at the same moments of every thread, but the last.
fn merge_series(mine: &mut Vec<Point>, theirs: Vec<Point>) {
    for (index, point) in theirs.into_iter().enumerate() {
        match mine.get_mut(index) {
            None => mine.push(point),
            Some(found) => {
                found.due += point.due;
                found.answered += point.answered;
                found.errors += point.errors;
                found.in_flight += point.in_flight;
                found.latency.merge(&point.latency);
            }
        }
    }
}
