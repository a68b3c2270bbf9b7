//! The auditor: pages in, counts, totals, digests and chain out, all worked out anew.
//!
//! A dump is `POSDUMP1`, the journal's id (16), its durable sequence (8), and then, in order, volume
//! (4), key (8), size (8) and value of each page; numbers little-endian, keys as they are. Claims are
//! lines of text: what a report or an engine's counters say, to be held against what is found.
//!
//! Two passes: the first proves each page and the chain and gathers what reversals undid; the second
//! adds up. Memory goes with terminals and reversals, not with entries.

use crate::page::Page;
use crate::report::{list, object, quoted};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};

const DEBITS: [&str; 9] = [
    "SALE", "COMPLETION", "COMPLETION_ADVICE", "OFFLINE_SALE", "ADJUST", "TIP_ADJUST", "EC_SALE",
    "EC_CASH_LOAD_VOID", "QR_SALE",
];
const CREDITS: [&str; 6] =
    ["SALE_VOID", "REFUND", "COMPLETION_VOID", "EC_CASH_LOAD", "QR_VOID", "QR_REFUND"];
/// In the order of the kinds page: the number that the column holds.
const KINDS: [&str; 37] = [
    "UNKNOWN", "SIGN_ON", "SIGN_OFF", "ECHO", "BALANCE", "SALE", "SALE_VOID", "REFUND", "PREAUTH",
    "PREAUTH_VOID", "COMPLETION", "COMPLETION_VOID", "COMPLETION_ADVICE", "OFFLINE_SALE", "ADJUST",
    "TIP_ADJUST", "EC_SALE", "EC_LOAD", "EC_CASH_LOAD", "EC_CASH_LOAD_VOID", "REVERSAL", "SETTLE",
    "BATCH_DETAIL", "BATCH_ADVICE", "BATCH_CHIP", "BATCH_END", "SCRIPT_RESULT", "STATUS_UPLOAD",
    "DOWNLOAD", "DOWNLOAD_QUERY", "DOWNLOAD_END", "SLIP", "QR_SALE", "QR_VOID", "QR_REFUND", "ALARM",
    "ADMINISTRATION",
];
const OUTCOMES: [&str; 6] = ["none", "approved", "declined", "repeat", "refused", "noted"];
const APPROVED: u64 = 1;
const REVERSAL: u64 = 20;
const SETTLE: u64 = 21;
const FOREIGN: u64 = 0x400;
const CLOSED: u64 = 0x1_0000;
const VALUE_MAX: u64 = 1 << 32;

/// Debit, debits, credit, credits; domestic, then foreign.
type Sums = [[u64; 4]; 2];
type Place = ([u8; 8], [u8; 15]);

#[derive(Default)]
struct Found {
    pages: u64,
    entries: u64,
    last: u64,
    bytes: u64,
    settlements: u64,
    counts: BTreeMap<(u64, u64), u64>,
    undone: HashSet<u64>,
    terminals: BTreeMap<Place, Sums>,
    batches: BTreeMap<(Place, u64), Sums>,
    approved: BTreeMap<Place, u64>,
}

struct Dump {
    file: BufReader<File>,
    durable: u64,
    id: [u8; 16],
    value: Vec<u8>,
}

impl Dump {
    fn open(path: &str) -> Result<Dump, String> {
        let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut head = [0u8; 32];
        file.read_exact(&mut head).map_err(|_| format!("{path}: no dump of pages"))?;
        if &head[..8] != b"POSDUMP1" {
            return Err(format!("{path}: no dump of pages"));
        }
        Ok(Dump {
            file,
            id: head[8..24].try_into().unwrap(),
            durable: u64::from_le_bytes(head[24..].try_into().unwrap()),
            value: Vec::new(),
        })
    }

    /// The next key; its value is in `value`.
    fn next(&mut self) -> Result<Option<u64>, String> {
        let mut head = [0u8; 20];
        match self.file.read(&mut head[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
        self.file.read_exact(&mut head[1..]).map_err(|_| "the dump is cut off")?;
        let size = u64::from_le_bytes(head[12..].try_into().unwrap());
        if size > VALUE_MAX {
            return Err("the dump is no dump: a value of 4 GiB".into());
        }
        self.value.resize(size as usize, 0);
        self.file.read_exact(&mut self.value).map_err(|_| "the dump is cut off")?;
        Ok(Some(u64::from_be_bytes(head[4..12].try_into().unwrap())))
    }
}

/// Every page proved by itself and beside the one before; what reversals undid.
fn prove(dump: &mut Dump, found: &mut Found) -> Result<(), String> {
    let mut before: Option<([u8; 32], u64, u32)> = None;
    while let Some(key) = dump.next()? {
        let page = Page::of(key, &dump.value).map_err(|why| format!("page {key}: {why}"))?;
        let wrong = |why: String| Err(format!("page {}: {why}", page.first));
        match before {
            Some((_, next, _)) if page.first != next => {
                return wrong(format!("a hole: the page before ends with {}", next - 1));
            }
            Some((digest, _, _)) if page.before != digest => {
                return wrong("chain: the digest of the page before is another".into());
            }
            Some((_, _, date)) if page.date < date => {
                return wrong(format!("business date {} after {date}", page.date));
            }
            None if page.first == 1 && page.before != [0; 32] => {
                return wrong("chain: the first page names one before".into());
            }
            _ => {}
        }
        before = Some((page.digest, page.first + page.count as u64, page.date));
        found.pages += 1;
        found.bytes += dump.value.len() as u64;
        found.entries += page.count as u64;
        found.last = page.first + page.count as u64 - 1;
        gather(&page, found).map_err(|why| format!("page {}: {why}", page.first))?;
    }
    if found.last < dump.durable {
        return Err(format!("{} is durable, but the last entry is {}", dump.durable, found.last));
    }
    Ok(())
}

/// Originals of approved reversals; bounds of every slice; reference numbers.
fn gather(page: &Page, found: &mut Found) -> Result<(), String> {
    let [kind, outcome, original, offset, request, answer, rrn] =
        ["kind", "outcome", "original", "heap_offset", "request_size", "answer_size", "rrn"]
            .map(|name| page.column(name));
    for row in 0..page.count {
        let sequence = page.first + row as u64;
        let is_approved = page.number(outcome, row) == APPROVED;
        let end = page.number(offset, row) + page.number(request, row) + page.number(answer, row);
        if end > page.heap_size() {
            return Err(format!("entry {sequence}: its bytes are not within the heap"));
        }
        let refers = page.number(original, row);
        if refers >= sequence {
            return Err(format!("entry {sequence} refers to {refers}, which is not before it"));
        }
        if is_approved && page.number(kind, row) == REVERSAL && refers != 0 {
            found.undone.insert(refers);
        }
        let digits = page.cell(rrn, row);
        if is_approved && !digits.is_empty() && digits[2..] != *format!("{:010}", sequence % 10_000_000_000).as_bytes() {
            if digits.iter().any(|&c| c != b' ') {
                return Err(format!("entry {sequence}: reference {}", String::from_utf8_lossy(digits)));
            }
        }
    }
    Ok(())
}

fn side(kind: u64) -> Option<usize> {
    let name = KINDS.get(kind as usize)?;
    if DEBITS.contains(name) {
        Some(0)
    } else if CREDITS.contains(name) {
        Some(2)
    } else {
        None
    }
}

/// Counts and totals; each settlement that closed a batch against what the batch adds up to.
fn add_up(dump: &mut Dump, found: &mut Found, after: u64) -> Result<(), String> {
    while let Some(key) = dump.next()? {
        let page = Page::of(key, &dump.value).map_err(|why| format!("page {key}: {why}"))?;
        let [kind, outcome, flags, amount, tid, mid, batch, offset, request] = [
            "kind", "outcome", "flags", "amount", "tid", "mid", "batch", "heap_offset", "request_size",
        ]
        .map(|name| page.column(name));
        for row in 0..page.count {
            let sequence = page.first + row as u64;
            let what = page.number(kind, row);
            let how = page.number(outcome, row);
            *found.counts.entry((what, how)).or_insert(0) += 1;
            let place: Place = match (page.cell(tid, row).try_into(), page.cell(mid, row).try_into()) {
                (Ok(tid), Ok(mid)) => (tid, mid),
                _ => return Err(format!("entry {sequence}: no columns tid and mid")),
            };
            let bits = page.number(flags, row);
            let number = page.number(batch, row);
            if how == APPROVED && sequence > after {
                *found.approved.entry(place).or_insert(0) += 1;
            }
            if what == SETTLE && bits & CLOSED != 0 {
                let told = page
                    .field(page.number(offset, row), page.number(request, row), 48)
                    .map_err(|why| format!("entry {sequence}: {why}"))?;
                let sums = found.batches.get(&(place, number)).copied().unwrap_or_default();
                found.settlements += 1;
                if let Some(wrong) = told.and_then(|wire| differs(wire, &sums)) {
                    return Err(format!(
                        "entry {sequence}: terminal {} batch {number:06} was closed as balanced, but {wrong}",
                        String::from_utf8_lossy(&place.0)
                    ));
                }
            }
            let side = match side(what) {
                Some(side) if how == APPROVED && !found.undone.contains(&sequence) => side,
                _ => continue,
            };
            let half = usize::from(bits & FOREIGN != 0);
            let value = page.number(amount, row);
            let mut all = vec![found.batches.entry((place, number)).or_default()];
            if sequence > after {
                all.push(found.terminals.entry(place).or_default());
            }
            for sums in all {
                sums[half][side] += value;
                sums[half][side + 1] += 1;
            }
        }
    }
    Ok(())
}

/// Field 48 (with or without its prefix of two bytes) beside the sums; what differs, in words.
fn differs(wire: &[u8], sums: &Sums) -> Option<String> {
    let digits = if wire.len() == 33 { &wire[2..] } else { wire };
    if digits.len() != 31 {
        return Some(format!("field 48 has {} bytes", wire.len()));
    }
    let text: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    let names = ["debit", "debits", "credit", "credits"];
    for (half, sums) in sums.iter().enumerate() {
        let base = half * 31;
        let parts = [(0, 12), (12, 15), (15, 27), (27, 30)];
        for (index, (from, to)) in parts.iter().enumerate() {
            let told: u64 = text.get(base + from..base + to)?.parse().ok()?;
            let right = if index % 2 == 1 { sums[index] % 1000 } else { sums[index] };
            if told != right {
                let side = ["domestic", "foreign"][half];
                return Some(format!("{side} {}: it said {told}, its entries make {right}", names[index]));
            }
        }
    }
    None
}

/// What a report or counters claim, line by line.
fn hold(claims: &str, found: &Found) -> Result<u64, String> {
    let mut held = 0;
    for line in claims.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
        match words.first().copied() {
            Some("entries") if number(1) != Some(found.entries) => {
                return Err(format!("entries: {} claimed, {} found", words[1], found.entries));
            }
            Some("last") if number(1) != Some(found.last) => {
                return Err(format!("last sequence: {} claimed, {} found", words[1], found.last));
            }
            Some("terminal") => {
                let place = place_of(&words).ok_or_else(|| format!("no claim: {line}"))?;
                let sums = found.terminals.get(&place).copied().unwrap_or_default();
                for (index, name) in ["debit", "debits", "credit", "credits"].iter().enumerate() {
                    let right = sums[0][index] + sums[1][index];
                    if number(3 + index) != Some(right) {
                        return Err(format!(
                            "terminal {}: {name} {} claimed, {right} in the journal", words[1], words[3 + index]
                        ));
                    }
                }
            }
            _ => {}
        }
        held += 1;
    }
    Ok(held)
}

fn place_of(words: &[&str]) -> Option<Place> {
    if words.len() < 7 {
        return None;
    }
    Some((words[1].as_bytes().try_into().ok()?, words[2].as_bytes().try_into().ok()?))
}

/// The audit as JSON: what was found, and the first disagreement, if any.
pub fn audit(path: &str, claims: &str, after: u64) -> Result<String, String> {
    let mut found = Found::default();
    let mut dump = Dump::open(path)?;
    let id: String = dump.id.iter().map(|byte| format!("{byte:02x}")).collect();
    let durable = dump.durable;
    let judged = prove(&mut dump, &mut found)
        .and_then(|()| add_up(&mut Dump::open(path)?, &mut found, after))
        .and_then(|()| hold(claims, &found));
    let counts = object(found.counts.iter().map(|(&(kind, outcome), n)| {
        let kind = KINDS.get(kind as usize).map_or_else(|| kind.to_string(), |name| name.to_string());
        let outcome = OUTCOMES.get(outcome as usize).copied().unwrap_or("unknown");
        (format!("{kind}/{outcome}"), n.to_string())
    }));
    let terminals = list(found.terminals.iter().map(|(place, sums)| {
        let all = (0..4).map(|i| (sums[0][i] + sums[1][i]).to_string());
        let names = [place.0.to_vec(), place.1.to_vec()].map(|text| quoted(&String::from_utf8_lossy(&text)));
        let approved = found.approved.get(place).copied().unwrap_or(0).to_string();
        list(names.into_iter().chain(all).chain([approved]))
    }));
    Ok(object([
        ("agrees", judged.is_ok().to_string()),
        ("disagreement", judged.as_ref().err().map_or("null".into(), |why| quoted(why))),
        ("claims_held", judged.unwrap_or(0).to_string()),
        ("journal_id", quoted(&id)),
        ("durable_sequence", durable.to_string()),
        ("last_sequence", found.last.to_string()),
        ("pages", found.pages.to_string()),
        ("entries", found.entries.to_string()),
        ("bytes", found.bytes.to_string()),
        ("settlements", found.settlements.to_string()),
        ("counts", counts),
        ("terminals", terminals),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::number_of;

    #[test]
    fn kinds_are_in_their_places() {
        assert_eq!((KINDS[20], KINDS[21], KINDS[36]), ("REVERSAL", "SETTLE", "ADMINISTRATION"));
        let named = DEBITS.iter().chain(&CREDITS).all(|name| KINDS.contains(name));
        assert!(named);
    }

    #[test]
    fn totals_that_differ_are_named() {
        let mut sums = Sums::default();
        assert_eq!(differs(&[0; 31], &sums), None);
        sums[0] = [12345, 1, 0, 0];
        let text = crate::message::totals_text([12345, 1, 0, 0]);
        let wire = crate::codec::bcd(text.as_bytes());
        assert_eq!(differs(&wire, &sums), None);
        sums[0][0] += 1;
        assert!(differs(&wire, &sums).unwrap().contains("debit: it said 12345"));
        assert_eq!(number_of(&wire[..6]), Some(12345));
    }
}
