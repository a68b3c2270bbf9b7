//! One thread of load: an epoll, its links, its terminals.
//!
//! ```text
//! wait ─▶ receive ─▶ check fields ─▶ verify MACs by the batch ─▶ believe ─▶ build what is due ─▶ sign ─▶ send
//! ```
//!
//! A request's latency runs from when it was due. In an open loop that is a moment of the schedule,
//! whether or not there was room to send it then; in a closed loop it is when its place came free.
//! What was due and never sent, or never answered, is counted, with the time it has waited so far.
//!
//! Its other parts: `opening.rs` (made, signed on, settled), `issuing.rs` (what is said, and when),
//! `answer.rs` and `judging.rs` (what came back, and whether it is right).

use crate::arrivals::Arrivals;
use crate::breaker::Breaker;
use crate::dice::Dice;
use crate::issuing::ToSign;
use crate::judging::ToVerify;
use crate::link::Link;
use crate::mac::{MacBatch, MacKey};
use crate::message::Templates;
use crate::plan::{Known, Plan};
use crate::progress::Progress;
use crate::stats::{Stats, BUILD, RECEIVE, SEND, WAIT};
use crate::sys::{core_wait_ns, cpu_ns, now_ns, Event, Poll, IN, OUT, TIMER};
use crate::terminal::{Phase, Terminal};
use std::net::SocketAddr;
use std::os::unix::io::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

pub static STOP: AtomicBool = AtomicBool::new(false);

pub const RECEIVE_SIZE: usize = 256 << 10;
pub const WAIT_MS: i32 = 50;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Opening,
    Trading,
    Draining,
    Closing,
}

pub struct Worker<'a> {
    pub plan: &'a Plan,
    pub stage: Stage,
    pub terminals: Vec<Terminal>,
    pub known: Vec<&'a Known>,
    pub keys: Vec<MacKey>,
    pub links: Vec<Link>,
    pub stats: Stats,
    pub start_ns: u64,
    pub breaker: Breaker,
    pub issued: u64,
    pub index: usize,
    pub address: SocketAddr,
    pub poll: Poll,
    pub templates: Templates,
    pub cards: Vec<[u8; 8]>,
    pub dice: Dice,
    pub arrivals: Arrivals,
    pub share: u64,
    pub turn: usize,
    pub timer_at_ns: u64,
    pub issued_at_ns: u64,
    /// When this round began; and whether what was due at the end of the last one had no room.
    pub woke_at_ns: u64,
    pub is_held: bool,
    pub signs: MacBatch,
    pub to_sign: Vec<ToSign>,
    pub checks: MacBatch,
    pub to_verify: Vec<ToVerify>,
    pub dirty: Vec<u32>,
    pub buffer: Vec<u8>,
    pub progress: &'a Progress,
    pub point_at_ns: u64,
}

impl Worker<'_> {
    /// The measured part: arrivals until they end, then what is under way.
    pub fn trade(&mut self, start_ns: u64) {
        let (cpu, core_wait) = (cpu_ns(), core_wait_ns());
        self.start_ns = start_ns;
        self.stats.begin_ns = start_ns;
        self.stats.stages_ns = Default::default();
        self.point_at_ns = start_ns + self.plan.interval_ns;
        self.stage = Stage::Trading;
        for index in 0..self.terminals.len() {
            if self.terminals[index].phase == Phase::Ready {
                for _ in 0..self.plan.per_terminal {
                    let link = self.terminals[index].link;
                    self.links[link].ready.push_back(index as u32);
                }
            }
        }
        let end = start_ns.saturating_add(self.plan.duration_ns);
        while !self.is_over(end) {
            self.set_timer();
            self.round(WAIT_MS);
        }
        self.stage = Stage::Draining;
        let give_up = now_ns() + self.plan.drain_ns;
        while (self.backlog(end) || self.is_busy()) && now_ns() < give_up {
            if STOP.load(Ordering::Relaxed) {
                break;
            }
            self.round(WAIT_MS);
        }
        self.count_what_is_missing(end);
        self.stats.cpu_ns = cpu_ns() - cpu;
        self.stats.core_wait_ns = core_wait_ns() - core_wait;
        let in_flight = self.in_flight();
        self.stats.close_point(now_ns() - start_ns, in_flight);
    }

    pub fn in_flight(&self) -> u64 {
        self.links.iter().map(|link| link.in_flight as u64).sum()
    }

    fn is_over(&self, end: u64) -> bool {
        STOP.load(Ordering::Relaxed)
            || now_ns() >= end
            || (self.share > 0 && self.issued >= self.share)
            || (self.arrivals.is_open() && self.arrivals.next_ns().is_none())
            || self.links.iter().all(|link| link.is_dead)
            || self.terminals.iter().all(|terminal| terminal.phase == Phase::Dead)
    }

    /// Whether something was due before the end and is not yet sent.
    pub fn backlog(&self, end: u64) -> bool {
        let more = self.share == 0 || self.issued < self.share;
        more && self.arrivals.next_ns().map_or(false, |next| self.start_ns + next < end)
    }

    pub fn round(&mut self, timeout_ms: i32) {
        let mut events = [Event { events: 0, data: 0 }; 256];
        let began = now_ns();
        let count = self.poll.wait(&mut events, timeout_ms).len();
        let woke = now_ns();
        self.woke_at_ns = woke;
        for event in &events[..count] {
            let (bits, data) = (event.events, event.data);
            if data == TIMER {
                self.poll.hush();
                continue;
            }
            if bits & OUT != 0 {
                self.mark(data as usize);
            }
            if bits & !OUT != 0 {
                self.receive(data as usize);
                self.speak_if_due();
            }
        }
        self.verify();
        let verified = now_ns();
        let sent = self.speak(verified);
        // Verifying and signing happen by the batch, within receiving and building: taken out there.
        let stages = &mut self.stats.stages_ns;
        stages[WAIT] += woke - began;
        stages[RECEIVE] = stages[RECEIVE].wrapping_add(verified - woke);
        if self.stage == Stage::Trading && sent >= self.point_at_ns {
            let in_flight = self.in_flight();
            self.progress.tell(self.index, &self.stats, sent - self.start_ns, in_flight);
            self.stats.close_point(sent - self.start_ns, in_flight);
            self.point_at_ns += self.plan.interval_ns;
        }
    }

    /// Builds, signs and sends what is to be said now; when that was done.
    fn speak(&mut self, now: u64) -> u64 {
        self.issue(now);
        self.sign();
        let signed = now_ns();
        self.send();
        let sent = now_ns();
        let stages = &mut self.stats.stages_ns;
        stages[BUILD] = stages[BUILD].wrapping_add(signed - now);
        stages[SEND] += sent - signed;
        sent
    }

    /// What is due goes before answers that have come, which a slow commit brings by the thousand.
    fn speak_if_due(&mut self) {
        if self.stage != Stage::Trading || self.timer_at_ns == 0 {
            return;
        }
        let now = now_ns();
        if now >= self.timer_at_ns {
            let spent = self.speak(now) - now;
            self.stats.stages_ns[RECEIVE] = self.stats.stages_ns[RECEIVE].wrapping_sub(spent);
            self.set_timer();
        }
    }

    fn receive(&mut self, index: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let kept = self.links[index].left.len();
        let got = self.links[index].receive(&mut buffer);
        let now = now_ns();
        match got {
            Err(error) => self.lost_line(index, now, &error.to_string()),
            Ok(have) => {
                self.stats.receives += 1;
                self.stats.bytes_received += have.saturating_sub(kept) as u64;
                let mut at = 0;
                while have - at >= 2 {
                    let size = 2 + u16::from_be_bytes([buffer[at], buffer[at + 1]]) as usize;
                    if have - at < size {
                        break;
                    }
                    self.take_answer(index, &buffer[at..at + size], now);
                    at += size;
                }
                if have > 0 {
                    self.links[index].left.extend_from_slice(&buffer[at..have]);
                }
            }
        }
        self.buffer = buffer;
    }

    pub fn mark(&mut self, index: usize) {
        let link = &mut self.links[index];
        if !link.is_dirty && !link.is_dead {
            link.is_dirty = true;
            self.dirty.push(index as u32);
        }
    }

    fn send(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        for &index in &dirty {
            let link = &mut self.links[index as usize];
            link.is_dirty = false;
            match link.send() {
                Ok((count, is_whole)) => {
                    self.stats.sends += 1;
                    self.stats.bytes_sent += count as u64;
                    if link.waits_to_write == is_whole {
                        link.waits_to_write = !is_whole;
                        let wants = if is_whole { IN } else { IN | OUT };
                        drop(self.poll.change(link.stream.as_raw_fd(), wants, u64::from(index)));
                    }
                }
                Err(error) => {
                    let now = now_ns();
                    self.lost_line(index as usize, now, &error.to_string());
                }
            }
        }
        self.dirty = dirty;
        self.dirty.clear();
    }
}
