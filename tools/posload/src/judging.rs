//! What came back, and what did not: MACs verified by the batch; what was lost, counted.

use crate::answer::is_scheduled;
use crate::codec::Fields;
use crate::link::{connect, Link, Pending};
use crate::stats::{RECEIVE, VERIFY};
use crate::sys::now_ns;
use crate::terminal::Phase;
use crate::worker::{Worker, STOP};
use std::os::unix::io::AsRawFd;
use std::sync::atomic::Ordering;

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

impl Worker<'_> {
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

    /// What was due and not sent, sent and not answered: it has waited until now at least.
    pub fn count_what_is_missing(&mut self, end: u64) {
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

    /// The host closed the line: what waited on it is lost; a new line takes its place.
    pub fn lost_line(&mut self, index: usize, now: u64, why: &str) {
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