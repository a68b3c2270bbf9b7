//! posload: a load generator for ISO 8583 engines that does not lie.
//!
//! ```text
//! plan ─▶ run ─▶ worker (one thread: epoll, links, terminals) ─▶ stats ─▶ report (JSON)
//!              codec, mac, des, bitslice, circuits, sm4: written from the standards alone
//! ```
//!
//! Everything that comes in or goes out of this library is text of the caller's: five C functions.

mod answer;
mod arrivals;
mod audit;
mod bitslice;
mod breaker;
mod circuits;
mod codec;
mod des;
mod dice;
mod digest;
mod histogram;
mod issuing;
mod judging;
mod lanes;
mod link;
mod mac;
mod message;
mod opening;
mod page;
mod plan;
mod progress;
mod report;
mod run;
mod slow;
mod sm4;
mod stats;
mod sys;
mod tables;
mod terminal;
mod worker;

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::panic::catch_unwind;
use std::sync::atomic::Ordering;

fn given(text: *const c_char) -> String {
    // SAFETY: the caller hands in a text that ends with zero and outlives the call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn handed_out(result: Result<String, String>) -> *mut c_char {
    let text = result.unwrap_or_else(|error| report::object([("error", report::quoted(&error))]));
    CString::new(text.replace('\0', "")).map_or(std::ptr::null_mut(), CString::into_raw)
}

/// Carries out a plan; the report as JSON, or `{"error": ...}`. Free it with `posload_free`.
#[no_mangle]
pub extern "C" fn posload_run(plan: *const c_char) -> *mut c_char {
    let plan = given(plan);
    let result = catch_unwind(|| run::run(&plan));
    handed_out(result.unwrap_or_else(|_| Err("posload has a fault of its own; see stderr".into())))
}

/// Ends the run that is going on, soon; its report comes as usual.
#[no_mangle]
pub extern "C" fn posload_stop() {
    worker::STOP.store(true, Ordering::Relaxed);
}

/// Field 64 of a message, all in hex: algorithm, key, what is covered. For comparing.
#[no_mangle]
pub extern "C" fn posload_mac(algorithm: *const c_char, key: *const c_char, covered: *const c_char) -> *mut c_char {
    handed_out(mac_of(&given(algorithm), &given(key), &given(covered)))
}

/// Through the lanes too: the message alone and among 255 others must have one MAC.
fn mac_of(algorithm: &str, key: &str, covered: &str) -> Result<String, String> {
    let algorithm = mac::Algorithm::of(algorithm).ok_or("no such algorithm")?;
    let key = plan::bytes_of(key).and_then(|key| mac::MacKey::new(algorithm, &key)).ok_or("no such key")?;
    let covered = plan::bytes_of(covered).ok_or("not hex")?;
    let alone = mac::one(algorithm, false, &key, &covered);
    let mut batch = mac::MacBatch::new(algorithm, false);
    while !batch.is_full() {
        batch.push(0, &covered);
    }
    if batch.run(&[key]).iter().any(|&field| field != alone) {
        return Err("lanes and scalar disagree".into());
    }
    Ok(report::object([("field", report::quoted(&format!("{alone:016x}")))]))
}

/// A dump of pages gone through anew and held against claims, lines of text; as JSON.
#[no_mangle]
pub extern "C" fn posload_audit(dump: *const c_char, claims: *const c_char, after: u64) -> *mut c_char {
    let (dump, claims) = (given(dump), given(claims));
    let result = catch_unwind(|| audit::audit(&dump, &claims, after));
    handed_out(result.unwrap_or_else(|_| Err("posload has a fault of its own; see stderr".into())))
}

/// Frees a text that a function of this library gave.
#[no_mangle]
pub extern "C" fn posload_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: it came from `CString::into_raw` above.
        drop(unsafe { CString::from_raw(text) });
    }
}
