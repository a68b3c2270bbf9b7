//! One thread of load: an epoll, its links, its terminals.
//!
//! ```text
//! wait ─▶ receive ─▶ check fields ─▶ verify MACs by the batch ─▶ believe ─▶ build what is due ─▶ sign ─▶ send
//! ```
//!
//! A request's latency runs from when it was due. In an open loop that is a moment of the schedule,
//! whether or not there was room to send it then; in a closed loop it is when its place came free.
//! What was due and never sent, or never answered, is counted, with the time it has waited so far.

use crate::answer::is_scheduled;
use crate::arrivals::Arrivals;
use crate::breaker::Breaker;
use crate::codec::{bcd_of, Fields, BODY};
use crate::dice::Dice;
use crate::link::{connect, Control, Link, Pending, Want};
use crate::mac::{MacBatch, MacKey};
use crate::message::{cards, settle_of, Kind, Original, Templates, Values};
use crate::plan::{Known, Plan};
use crate::progress::Progress;
use crate::stats::{Stats, BUILD, RECEIVE, SEND, SIGN, VERIFY, WAIT};
use crate::sys::{cpu_ns, now_ns, Event, Poll, IN, OUT, TIMER};
use crate::terminal::{Phase, Terminal};
use std::io;
use std::net::SocketAddr;
use std::os::unix::io::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

pub static STOP: AtomicBool = AtomicBool::new(false);

const RECEIVE_SIZE: usize = 256 << 10;
const WAIT_MS: i32 = 50;
const CONTROL_S_MAX: u64 = 60;

/// A request in a link's buffer that has no MAC yet.
struct ToSign {
    link: u32,
    mac_at: usize,
    number: u64,
    start: usize,
    is_spoilt: bool,
    is_kept: bool,
}

/// An answer whose MAC is not yet verified.
pub struct ToVerify {
    pub link: u32,
    pub field: u64,
    pub answer: Answer,
}

/// What is believed of an answer once its MAC is right.
pub struct Answer {
    pub pending: Pending,
    pub at_ns: u64,
    pub code: [u8; 2],
    pub rrn: [u8; 12],
    pub auth: [u8; 6],
    pub date: [u8; 2],
    /// The frame itself, where it will be compared with the next.
    pub reply: Option<Box<[u8]>>,
    pub is_same: bool,
}

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
    index: usize,
    address: SocketAddr,
    poll: Poll,
    templates: Templates,
    cards: Vec<[u8; 8]>,
    dice: Dice,
    arrivals: Arrivals,
    share: u64,
    turn: usize,
    timer_at_ns: u64,
    issued_at_ns: u64,
    signs: MacBatch,
    to_sign: Vec<ToSign>,
    checks: MacBatch,
    to_verify: Vec<ToVerify>,
    dirty: Vec<u32>,
    buffer: Vec<u8>,
    progress: &'a Progress,
    point_at_ns: u64,
}

impl<'a> Worker<'a> {
    /// Connects everything; `index` of `plan.threads` decides which links and terminals are ours.
    pub fn new(plan: &'a Plan, index: usize, address: SocketAddr, progress: &'a Progress) -> io::Result<Worker<'a>> {
        let poll = Poll::new()?;
        let count = (plan.connections + plan.threads - 1 - index) / plan.threads;
        let mut links = Vec::new();
        for number in 0..count {
            let stream = connect(&address)?;
            poll.add(stream.as_raw_fd(), number as u64)?;
            links.push(Link::new(stream));
        }
        let known: Vec<&Known> = plan.terminals.iter().skip(index).step_by(plan.threads).collect();
        let terminals: Vec<Terminal> = known
            .iter()
            .enumerate()
            .map(|(i, known)| Terminal::new(known, plan.batch, plan.stan_first, i % count.max(1)))
            .collect();
        let blank = MacKey::new(plan.mac, &[0; 16])
            .ok_or_else(|| io::Error::new(io::ErrorKind::Other, "no key for this MAC"))?;
        let threads = plan.threads as f64;
        let seed = plan.seed.wrapping_add(index as u64);
        let arrivals = match plan.arrival.as_str() {
            "constant" => Arrivals::constant(plan.rate / threads),
            "poisson" => Arrivals::poisson(plan.rate / threads, seed),
            "recorded" => {
                let text = std::fs::read_to_string(&plan.due_file)?;
                Arrivals::recorded(&text, index, plan.threads)
                    .map_err(|text| io::Error::new(io::ErrorKind::InvalidData, text))?
            }
            _ => Arrivals::Closed,
        };
        Ok(Worker {
            plan,
            stage: Stage::Opening,
            keys: vec![blank; terminals.len()],
            terminals,
            known,
            links,
            stats: Stats::new(),
            start_ns: 0,
            breaker: Breaker::new(address),
            issued: 0,
            index,
            address,
            poll,
            templates: Templates::new(plan),
            cards: cards(plan.cards),
            dice: Dice::new(seed ^ 0x706F_736C_6F61_6421),
            arrivals,
            share: plan.count / plan.threads as u64 + u64::from((plan.count % plan.threads as u64) > index as u64),
            turn: 0,
            timer_at_ns: 0,
            issued_at_ns: 0,
            signs: MacBatch::new(plan.mac, plan.mac_as_hex),
            to_sign: Vec::new(),
            checks: MacBatch::new(plan.mac, plan.mac_as_hex),
            to_verify: Vec::new(),
            dirty: Vec::new(),
            buffer: vec![0; RECEIVE_SIZE],
            progress,
            point_at_ns: 0,
        })
    }

    // ---- the phases of a run -------------------------------------------------------------------

    /// Every terminal signs on.
    pub fn open(&mut self) {
        for index in 0..self.terminals.len() {
            let link = self.terminals[index].link;
            self.links[link].control.push_back((index as u32, Control::SignOn));
        }
        self.talk();
    }

    /// The measured part: arrivals until they end, then what is under way.
    pub fn trade(&mut self, start_ns: u64) {
        let cpu = cpu_ns();
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
        let in_flight = self.in_flight();
        self.stats.close_point(now_ns() - start_ns, in_flight);
    }

    /// Every terminal settles, if the plan says so.
    pub fn close(&mut self) {
        self.stage = Stage::Closing;
        if self.plan.settles && !STOP.load(Ordering::Relaxed) {
            for index in 0..self.terminals.len() {
                if self.terminals[index].phase == Phase::Ready && self.terminals[index].in_flight == 0 {
                    let link = self.terminals[index].link;
                    self.terminals[index].phase = Phase::Settling;
                    self.links[link].control.push_back((index as u32, Control::Settle { clears: false }));
                }
            }
            self.talk();
        }
        let faults = self.breaker.finish();
        self.stats.errors_total += faults;
        if faults > 0 {
            self.stats.errors.insert("cut-not-planted", faults);
        }
    }

    /// Rounds until nothing is left to say and nothing is under way.
    fn talk(&mut self) {
        let give_up = now_ns() + CONTROL_S_MAX * 1_000_000_000;
        while self.is_busy() && !STOP.load(Ordering::Relaxed) {
            if now_ns() > give_up {
                self.stats.error("stuck", || "no answers to sign-on or settlement in a minute".into());
                break;
            }
            self.round(WAIT_MS);
        }
    }

    fn is_busy(&self) -> bool {
        self.links.iter().any(|link| !link.is_dead && (link.in_flight > 0 || !link.control.is_empty()))
    }

    fn in_flight(&self) -> u64 {
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
    fn backlog(&self, end: u64) -> bool {
        let more = self.share == 0 || self.issued < self.share;
        more && self.arrivals.next_ns().map_or(false, |next| self.start_ns + next < end)
    }

    /// What was due and not sent, sent and not answered: it has waited until now at least.
    fn count_what_is_missing(&mut self, end: u64) {
        let now = now_ns();
        while self.backlog(end) && !STOP.load(Ordering::Relaxed) {
            let due = self.start_ns + self.arrivals.next_ns().unwrap_or(0);
            self.arrivals.advance();
            self.issued += 1;
            self.stats.due += 1;
            self.stats.unsent += 1;
            self.stats.from_due.add(now.saturating_sub(due));
        }
        let missing: Vec<Pending> = self.links.iter_mut().flat_map(Link::give_up).collect();
        for pending in missing {
            self.lose(&pending, now, "lost");
        }
        self.stats.end_ns = self.stats.end_ns.max(self.start_ns + 1);
    }

    fn lose(&mut self, pending: &Pending, now: u64, why: &'static str) {
        let terminal = &mut self.terminals[pending.terminal as usize];
        terminal.in_flight = terminal.in_flight.saturating_sub(1);
        terminal.phase = Phase::Dead; // what the host believes of it is not known any more
        let tid = String::from_utf8_lossy(&terminal.tid).into_owned();
        if is_scheduled(pending) {
            self.stats.lost += 1;
            self.stats.from_due.add(now.saturating_sub(pending.due_ns));
            self.stats.from_sent.add(now.saturating_sub(pending.sent_ns));
        }
        self.stats.error(why, || format!("{tid} {:?} {:02x?}", pending.kind, pending.stan));
    }

    // ---- one round -----------------------------------------------------------------------------

    /// An open loop wakes for what is due next, but not more often than every tick.
    fn set_timer(&mut self) {
        if let Some(next) = self.arrivals.next_ns() {
            let at = (self.start_ns + next).max(self.issued_at_ns + self.plan.tick_ns);
            let is_blocked = self.start_ns + next <= self.issued_at_ns;
            if !is_blocked && at != self.timer_at_ns {
                self.timer_at_ns = at;
                self.poll.ring_at(at);
            }
        }
    }

    fn round(&mut self, timeout_ms: i32) {
        let mut events = [Event { events: 0, data: 0 }; 256];
        let began = now_ns();
        let count = self.poll.wait(&mut events, timeout_ms).len();
        let woke = now_ns();
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
            }
        }
        self.verify();
        let verified = now_ns();
        self.issue(verified);
        self.sign();
        let signed = now_ns();
        self.send();
        let sent = now_ns();
        // Verifying and signing happen by the batch, within receiving and building: taken out there.
        let stages = &mut self.stats.stages_ns;
        stages[WAIT] += woke - began;
        stages[RECEIVE] = stages[RECEIVE].wrapping_add(verified - woke);
        stages[BUILD] = stages[BUILD].wrapping_add(signed - verified);
        stages[SEND] += sent - signed;
        if self.stage == Stage::Trading && sent >= self.point_at_ns {
            let in_flight = self.in_flight();
            self.progress.tell(self.index, &self.stats, sent - self.start_ns, in_flight);
            self.stats.close_point(sent - self.start_ns, in_flight);
            self.point_at_ns += self.plan.interval_ns;
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

    /// The host closed the line: what waited on it is lost; a new line takes its place.
    fn lost_line(&mut self, index: usize, now: u64, why: &str) {
        let link = &mut self.links[index];
        if link.is_dead {
            return;
        }
        let lost = link.give_up();
        link.out.clear();
        link.out_done = 0;
        link.left.clear();
        drop(self.poll.remove(link.stream.as_raw_fd()));
        let again = connect(&self.address);
        match again {
            Ok(stream) if self.poll.add(stream.as_raw_fd(), index as u64).is_ok() => link.stream = stream,
            _ => link.is_dead = true,
        }
        self.stats.error("line-closed", || format!("link {index}: {why}; {} requests lost", lost.len()));
        for pending in lost {
            self.lose(&pending, now, "lost");
        }
    }

    /// Verifies what has gathered and believes it.
    pub fn verify(&mut self) {
        let count = self.to_verify.len();
        if count == 0 {
            return;
        }
        let began = now_ns();
        let fields: Vec<u64> = self.checks.run(&self.keys).to_vec();
        let spent = now_ns() - began;
        self.stats.stages_ns[VERIFY] += spent;
        self.stats.stages_ns[RECEIVE] = self.stats.stages_ns[RECEIVE].wrapping_sub(spent);
        let waiting = std::mem::take(&mut self.to_verify);
        for (job, right) in waiting.into_iter().zip(fields) {
            self.stats.macs_verified += 1;
            let is_right = job.field == right;
            if !is_right {
                let tid = self.terminals[job.answer.pending.terminal as usize].tid;
                self.stats.error("mac", || {
                    format!("{} {:?}: {:016x}, not {right:016x}", String::from_utf8_lossy(&tid),
                        job.answer.pending.kind, job.field)
                });
            }
            self.believe(job.link as usize, job.answer, is_right);
        }
    }

    /// Puts an answer with a MAC among those to be verified.
    pub fn gather(&mut self, job: ToVerify, covered: &[u8]) {
        let terminal = job.answer.pending.terminal as usize;
        self.checks.push(terminal, covered);
        self.to_verify.push(job);
        if self.checks.is_full() {
            self.verify();
        }
    }

    // ---- requests ------------------------------------------------------------------------------

    fn issue(&mut self, now: u64) {
        self.issued_at_ns = now;
        for index in 0..self.links.len() {
            while !self.links[index].control.is_empty() && self.has_room(index) {
                let (terminal, control) = self.links[index].control.pop_front().unwrap();
                self.say(terminal as usize, control, now);
            }
        }
        match self.stage {
            Stage::Opening | Stage::Closing => {}
            Stage::Trading | Stage::Draining if self.arrivals.is_open() => self.issue_due(now),
            Stage::Trading => self.issue_closed(now),
            Stage::Draining => {}
        }
    }

    fn has_room(&self, index: usize) -> bool {
        let link = &self.links[index];
        !link.is_dead && link.in_flight < self.plan.depth
    }

    fn issue_closed(&mut self, now: u64) {
        for index in 0..self.links.len() {
            while self.has_room(index) && (self.share == 0 || self.issued < self.share) {
                match self.next_ready(index) {
                    Some(terminal) => self.trade_one(terminal, now, now),
                    None => break,
                }
            }
        }
    }

    fn issue_due(&mut self, now: u64) {
        let end = self.start_ns.saturating_add(self.plan.duration_ns);
        while let Some(next) = self.arrivals.next_ns() {
            let due = self.start_ns + next;
            if due > now || due >= end || (self.share > 0 && self.issued >= self.share) {
                return;
            }
            match self.any_ready() {
                None => return,
                Some(terminal) => {
                    self.arrivals.advance();
                    self.trade_one(terminal, due, now);
                }
            }
        }
    }

    fn any_ready(&mut self) -> Option<usize> {
        for _ in 0..self.links.len() {
            self.turn = (self.turn + 1) % self.links.len();
            if self.has_room(self.turn) {
                if let Some(terminal) = self.next_ready(self.turn) {
                    return Some(terminal);
                }
            }
        }
        None
    }

    /// A terminal that may trade; full batches are closed on the way.
    fn next_ready(&mut self, index: usize) -> Option<usize> {
        while let Some(number) = self.links[index].ready.pop_front() {
            let terminal = &mut self.terminals[number as usize];
            if terminal.phase == Phase::Ready && terminal.postings + terminal.in_flight >= self.plan.batch_max {
                terminal.phase = Phase::Closing;
            }
            match terminal.phase {
                Phase::Ready => return Some(number as usize),
                Phase::Dead => {}
                _ => {
                    terminal.parked += 1;
                    self.settle_if_idle(number as usize);
                }
            }
        }
        None
    }

    pub fn settle_if_idle(&mut self, number: usize) {
        let terminal = &mut self.terminals[number];
        if terminal.phase == Phase::Closing && terminal.in_flight == 0 {
            terminal.phase = Phase::Settling;
            let link = terminal.link;
            self.links[link].control.push_back((number as u32, Control::Settle { clears: false }));
        }
    }

    /// Draws what the terminal does, and says it.
    fn trade_one(&mut self, number: usize, due: u64, now: u64) {
        self.issued += 1;
        self.stats.due += 1;
        self.stats.point.due += 1;
        self.stats.lateness.add(now.saturating_sub(due));
        let kind = self.drawn_kind();
        let original = match kind {
            Kind::Sale | Kind::Balance => None,
            _ => self.terminals[number].take_original(),
        };
        let kind = if original.is_none() && kind != Kind::Balance { Kind::Sale } else { kind };
        let original = original.unwrap_or_else(|| Original {
            card: self.dice.below(self.cards.len() as u64) as u32,
            amount: self.plan.amount_min + self.dice.below(self.plan.amount_max - self.plan.amount_min + 1),
            ..Original::default()
        });
        let fault = if kind == Kind::Sale { self.drawn_fault() } else { None };
        if let Some(fault) = fault {
            self.stats.faults[fault as usize].planted += 1;
        }
        match fault {
            Some(2) => self.cut(number, original, due, now),
            Some(3) => {
                let stan = self.request(number, Kind::Sale, original, Want::Approved, Some(3), due, now);
                let undone = Original { stan, ..original };
                self.request(number, Kind::Reversal, undone, Want::Approved, Some(3), now, now);
            }
            Some(0) => drop(self.request(number, kind, original, Want::MacRefused, Some(0), due, now)),
            _ => drop(self.request(number, kind, original, Want::Approved, fault, due, now)),
        }
    }

    fn drawn_kind(&mut self) -> Kind {
        let mix = &self.plan.mix;
        let all: u32 = mix.iter().sum();
        let mut drawn = self.dice.below(u64::from(all)) as u32;
        for (kind, &weight) in [Kind::Sale, Kind::Void, Kind::Refund, Kind::Balance].iter().zip(mix) {
            if drawn < weight {
                return *kind;
            }
            drawn -= weight;
        }
        Kind::Reversal
    }

    fn drawn_fault(&mut self) -> Option<u8> {
        if self.plan.faults.iter().all(|&share| share == 0.0) {
            return None;
        }
        let mut drawn = self.dice.unit();
        for (index, &share) in self.plan.faults.iter().enumerate() {
            if drawn <= share {
                return Some(index as u8);
            }
            drawn -= share;
        }
        None
    }

    /// Half a sale on a line that breaks, then its reversal on the terminal's own.
    fn cut(&mut self, number: usize, original: Original, due: u64, now: u64) {
        let terminal = &mut self.terminals[number];
        let stan = terminal.next_stan();
        let values = Values {
            tid: &terminal.tid, mid: &terminal.mid, batch: terminal.batch,
            stan: bcd_of::<3>(u64::from(stan)), card: self.cards[original.card as usize],
            amount: original.amount, original,
        };
        let mut frame = Vec::new();
        self.templates.of(Kind::Sale).fill(&mut frame, &values);
        frame.truncate(frame.len() / 2);
        self.breaker.send(frame);
        let undone = Original { stan, ..original };
        self.request(number, Kind::Reversal, undone, Want::Approved, Some(2), due, now);
    }

    fn say(&mut self, number: usize, control: Control, now: u64) {
        let (kind, want) = match control {
            Control::SignOn => (Kind::SignOn, Want::SignedOn),
            Control::Settle { clears } => (Kind::Settle, Want::Settled { clears }),
            Control::UploadEnd => (Kind::UploadEnd, Want::Uploaded),
        };
        self.request(number, kind, Original::default(), want, None, now, now);
    }

    /// Builds one request into its link's buffer; its STAN.
    #[allow(clippy::too_many_arguments)]
    fn request(
        &mut self, number: usize, kind: Kind, original: Original, want: Want, fault: Option<u8>, due: u64, now: u64,
    ) -> u32 {
        let terminal = &mut self.terminals[number];
        let stan = if kind == Kind::Reversal { original.stan } else { terminal.next_stan() };
        terminal.in_flight += 1;
        let index = terminal.link;
        let link = &mut self.links[index];
        let values = Values {
            tid: &terminal.tid, mid: &terminal.mid, batch: terminal.batch,
            stan: bcd_of::<3>(u64::from(stan)), card: self.cards[original.card as usize],
            amount: original.amount, original,
        };
        let start = link.out.len();
        if kind == Kind::Settle {
            settle_of(self.plan, terminal.totals.list()).fill(&mut link.out, &values);
        } else {
            self.templates.of(kind).fill(&mut link.out, &values);
        }
        let mti = u16::from_be_bytes([link.out[start + BODY], link.out[start + BODY + 1]]);
        let is_repeated = fault == Some(1);
        let pending = Pending {
            terminal: number as u32, kind, mti, stan: values.stan, original, due_ns: due, sent_ns: now,
            is_undone: fault == Some(3) && kind == Kind::Sale, fault, repeats: is_repeated,
            bytes: None, is_live: true,
            want,
        };
        let is_spoilt = matches!(pending.want, Want::MacRefused);
        let waiting = link.expect(pending);
        self.stats.kinds[kind as usize].sent += 1;
        self.stats.sent += 1;
        self.mark(index);
        if kind.is_signed() {
            let end = self.links[index].out.len();
            self.signs.push(number, &self.links[index].out[start + BODY..end - 8]);
            self.to_sign.push(ToSign {
                link: index as u32, mac_at: end - 8, number: waiting, start, is_spoilt, is_kept: is_repeated,
            });
            if self.signs.is_full() {
                self.sign();
            }
        }
        stan
    }

    /// The same bytes once more: the answer must be the same too.
    pub fn repeat(&mut self, index: usize, first: &Pending, reply: Box<[u8]>, now: u64) {
        let bytes = match &first.bytes {
            Some(bytes) => bytes,
            None => return,
        };
        let link = &mut self.links[index];
        link.out.extend_from_slice(bytes);
        self.terminals[first.terminal as usize].in_flight += 1;
        let again = Pending {
            kind: Kind::Repeat, want: Want::Same(reply), due_ns: now, sent_ns: now, repeats: false,
            bytes: None, ..first.clone()
        };
        link.expect(again);
        self.stats.kinds[Kind::Repeat as usize].sent += 1;
        self.stats.sent += 1;
        self.mark(index);
    }

    fn mark(&mut self, index: usize) {
        let link = &mut self.links[index];
        if !link.is_dirty && !link.is_dead {
            link.is_dirty = true;
            self.dirty.push(index as u32);
        }
    }

    fn sign(&mut self) {
        if self.to_sign.is_empty() {
            return;
        }
        let began = now_ns();
        let fields = self.signs.run(&self.keys);
        for (job, &field) in self.to_sign.iter().zip(fields) {
            let link = &mut self.links[job.link as usize];
            let spoilt = if job.is_spoilt { field ^ 1 } else { field };
            link.out[job.mac_at..job.mac_at + 8].copy_from_slice(&spoilt.to_be_bytes());
            if job.is_kept {
                let bytes: Box<[u8]> = link.out[job.start..job.mac_at + 8].into();
                if let Some(pending) = link.numbered(job.number) {
                    pending.bytes = Some(bytes);
                }
            }
        }
        self.to_sign.clear();
        let spent = now_ns() - began;
        self.stats.stages_ns[SIGN] += spent;
        self.stats.stages_ns[BUILD] = self.stats.stages_ns[BUILD].wrapping_sub(spent);
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

/// What an answer's fields say, where they are there.
pub fn told(fields: &Fields, pending: Pending, at_ns: u64) -> Answer {
    let text = |number: usize| fields.get(number);
    let mut answer = Answer { pending, at_ns, code: *b"  ", rrn: [0; 12], auth: [b' '; 6], date: [0; 2], reply: None, is_same: false };
    if let Some(code) = text(39) {
        answer.code.copy_from_slice(code);
    }
    if let Some(rrn) = text(37) {
        answer.rrn.copy_from_slice(rrn);
    }
    if let Some(auth) = text(38) {
        answer.auth.copy_from_slice(auth);
    }
    if let Some(date) = text(13) {
        answer.date.copy_from_slice(date);
    }
    answer
}
