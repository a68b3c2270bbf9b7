//! What is to be done, as lines of `key value`: the Python side reads TOML, checks it and writes this.

use crate::mac::Algorithm;
use std::collections::HashMap;
use std::str::FromStr;

#[derive(Clone, Debug)]
pub struct Known {
    pub tid: [u8; 8],
    pub mid: [u8; 15],
    pub tmk: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub host: String,
    pub port: u16,
    pub connections: usize,
    pub depth: usize,
    pub per_terminal: usize,
    pub threads: usize,
    pub duration_ns: u64,
    pub count: u64,
    pub arrival: String,
    pub rate: f64,
    pub due_file: String,
    pub seed: u64,
    pub mac: Algorithm,
    pub mac_as_hex: bool,
    pub sign_on: String,
    pub form: String,
    pub tpdu: [u8; 5],
    pub header: [u8; 6],
    pub batch: u64,
    pub stan_first: u32,
    pub cards: u64,
    pub amount_min: u64,
    pub amount_max: u64,
    /// Weights of sale, void, refund, balance, reversal.
    pub mix: [u32; 5],
    /// Shares of sales: wrong MAC, repeat, cut, late reversal.
    pub faults: [f64; 4],
    pub slow_readers: usize,
    pub slow_ns: u64,
    pub batch_max: u32,
    pub settles: bool,
    pub clears: bool,
    pub verifies: bool,
    pub drain_ns: u64,
    pub tick_ns: u64,
    pub interval_ns: u64,
    pub is_quiet: bool,
    pub terminals: Vec<Known>,
}

struct Lines<'a>(HashMap<&'a str, &'a str>);

impl<'a> Lines<'a> {
    fn text(&self, key: &str) -> Result<&'a str, String> {
        self.0.get(key).copied().ok_or_else(|| format!("the plan has no {key}"))
    }

    fn value<T: FromStr>(&self, key: &str) -> Result<T, String> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("{key}: {text:?} is not of its kind"))
    }

    fn hex<const N: usize>(&self, key: &str) -> Result<[u8; N], String> {
        let text = self.text(key)?;
        bytes_of(text).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| format!("{key}: {text:?}"))
    }

    fn list<T: FromStr, const N: usize>(&self, key: &str) -> Result<[T; N], String> {
        let text = self.text(key)?;
        let all: Result<Vec<T>, _> = text.split(' ').map(T::from_str).collect();
        all.ok().and_then(|all| all.try_into().ok()).ok_or_else(|| format!("{key}: {text:?}"))
    }
}

pub fn bytes_of(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

fn known(line: &str) -> Option<Known> {
    let mut words = line.split(' ');
    Some(Known {
        tid: words.next()?.as_bytes().try_into().ok()?,
        mid: words.next()?.as_bytes().try_into().ok()?,
        tmk: bytes_of(words.next()?)?,
    })
}

impl Plan {
    pub fn of(text: &str) -> Result<Plan, String> {
        let mut terminals = Vec::new();
        let mut lines = Lines(HashMap::new());
        for line in text.lines() {
            let (key, value) = line.split_once(' ').ok_or_else(|| format!("not a line of a plan: {line:?}"))?;
            if key == "terminal" {
                terminals.push(known(value).ok_or_else(|| format!("terminal: {:?}", &value[..value.len().min(24)]))?);
            } else {
                lines.0.insert(key, value);
            }
        }
        let mac = lines.text("mac")?;
        Ok(Plan {
            host: lines.text("host")?.into(),
            port: lines.value("port")?,
            connections: lines.value("connections")?,
            depth: lines.value("depth")?,
            per_terminal: lines.value("per_terminal")?,
            threads: lines.value("threads")?,
            duration_ns: lines.value("duration_ns")?,
            count: lines.value("count")?,
            arrival: lines.text("arrival")?.into(),
            rate: lines.value("rate")?,
            due_file: lines.text("due_file")?.into(),
            seed: lines.value("seed")?,
            mac: Algorithm::of(mac).ok_or_else(|| format!("no MAC algorithm {mac:?}"))?,
            mac_as_hex: lines.value("mac_as_hex")?,
            sign_on: lines.text("sign_on")?.into(),
            form: lines.text("form")?.into(),
            tpdu: lines.hex("tpdu")?,
            header: lines.hex("header")?,
            batch: lines.value("batch")?,
            stan_first: lines.value("stan_first")?,
            cards: lines.value("cards")?,
            amount_min: lines.value("amount_min")?,
            amount_max: lines.value("amount_max")?,
            mix: lines.list("mix")?,
            faults: lines.list("faults")?,
            slow_readers: lines.value("slow_readers")?,
            slow_ns: lines.value("slow_ns")?,
            batch_max: lines.value("batch_max")?,
            settles: lines.value("settles")?,
            clears: lines.value("clears")?,
            verifies: lines.value("verifies")?,
            drain_ns: lines.value("drain_ns")?,
            tick_ns: lines.value("tick_ns")?,
            interval_ns: lines.value("interval_ns")?,
            is_quiet: lines.value("is_quiet")?,
            terminals,
        })
    }
}
