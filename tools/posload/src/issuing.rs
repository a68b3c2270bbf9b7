//! Requests: which terminal says what, and when; built into its link's buffer, signed by the batch.

use crate::codec::{bcd_of, BODY};
use crate::link::{Control, Pending, Want};
use crate::message::{settle_of, Kind, Original, Values};
use crate::stats::{BUILD, SIGN};
use crate::sys::now_ns;
use crate::terminal::Phase;
use crate::worker::{Stage, Worker};

/// A request in a link's buffer that has no MAC yet.
pub struct ToSign {
    pub link: u32,
    pub mac_at: usize,
    pub number: u64,
    pub start: usize,
    pub is_spoilt: bool,
    pub is_kept: bool,
}

impl Worker<'_> {
    /// An open loop wakes for what is due next, but not more often than every tick.
    pub fn set_timer(&mut self) {
        if let Some(next) = self.arrivals.next_ns() {
            let at = (self.start_ns + next).max(self.issued_at_ns + self.plan.tick_ns);
            let is_blocked = self.start_ns + next <= self.issued_at_ns;
            if !is_blocked && at != self.timer_at_ns {
                self.timer_at_ns = at;
                self.poll.ring_at(at);
            }
        }
    }

    pub fn issue(&mut self, now: u64) {
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

    /// What is due at once goes out on one link while it has room, as a concentrator sends it: a
    /// send costs some 5 µs, of whichever size. The next time it is another link's turn.
    fn issue_due(&mut self, now: u64) {
        self.turn = (self.turn + 1) % self.links.len();
        let end = self.start_ns.saturating_add(self.plan.duration_ns);
        while let Some(next) = self.arrivals.next_ns() {
            let due = self.start_ns + next;
            if due > now || due >= end || (self.share > 0 && self.issued >= self.share) {
                break;
            }
            match self.any_ready() {
                None => {
                    self.is_held = true;
                    return;
                }
                Some(terminal) => {
                    self.arrivals.advance();
                    self.trade_one(terminal, due, now);
                }
            }
        }
        self.is_held = false;
    }

    fn any_ready(&mut self) -> Option<usize> {
        for _ in 0..self.links.len() {
            if self.has_room(self.turn) {
                if let Some(terminal) = self.next_ready(self.turn) {
                    return Some(terminal);
                }
            }
            self.turn = (self.turn + 1) % self.links.len();
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
        // Without room it could not be sent before the answers of this round came.
        let could = if self.is_held { due.max(self.woke_at_ns) } else { due };
        self.stats.lateness.add(now.saturating_sub(could));
        if could > due {
            self.stats.held.add(could - due);
        }
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

    /// Builds one request into its link's buffer; its STAN.
    #[allow(clippy::too_many_arguments)]
    pub fn request(
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

    pub fn sign(&mut self) {
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
}
