//! A line on stderr for every interval, while the load runs.

use crate::stats::Stats;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Progress {
    is_quiet: bool,
    answered: AtomicU64,
    errors: AtomicU64,
    in_flight: AtomicU64,
    told_ns: AtomicU64,
}

impl Progress {
    pub fn new(is_quiet: bool) -> Progress {
        let zero = || AtomicU64::new(0);
        Progress { is_quiet, answered: zero(), errors: zero(), in_flight: zero(), told_ns: zero() }
    }

    /// Every thread adds what it saw; the first one says what all did.
    pub fn tell(&self, index: usize, stats: &Stats, elapsed_ns: u64, in_flight: u64) {
        if self.is_quiet {
            return;
        }
        let point = &stats.point;
        self.answered.fetch_add(point.answered, Ordering::Relaxed);
        self.errors.fetch_add(point.errors, Ordering::Relaxed);
        self.in_flight.fetch_add(in_flight, Ordering::Relaxed);
        if index > 0 {
            return;
        }
        let since = elapsed_ns - self.told_ns.swap(elapsed_ns, Ordering::Relaxed);
        let answered = self.answered.swap(0, Ordering::Relaxed) as f64;
        eprintln!(
            "{:7.1} s  {:>9.0}/s  p50 {:>8} p99 {:>8} max {:>8}  in flight {:>6}  errors {}",
            elapsed_ns as f64 / 1e9,
            answered * 1e9 / since.max(1) as f64,
            span(point.latency.at(0.5)),
            span(point.latency.at(0.99)),
            span(point.latency.max),
            self.in_flight.swap(0, Ordering::Relaxed),
            self.errors.swap(0, Ordering::Relaxed),
        );
    }
}

/// A duration as a person reads it.
pub fn span(ns: u64) -> String {
    match ns {
        0..=999_999 => format!("{:.0} µs", ns as f64 / 1e3),
        1_000_000..=999_999_999 => format!("{:.2} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}
