//! What is believed of an answer: its fields first, then its MAC, then what it says.

use crate::codec::{bcd_of, number_of, Fields, BODY};
use crate::judging::{told, Answer, ToVerify};
use crate::link::{Control, Pending, Want};
use crate::message::{Kind, Original};
use crate::sys::now_ns;
use crate::terminal::Phase;
use crate::worker::{Stage, Worker};

/// Processing code of each kind, as fields 3 of question and answer must both have it.
fn processing(kind: Kind) -> Option<[u8; 3]> {
    match kind {
        Kind::Sale | Kind::Reversal | Kind::Repeat => Some([0, 0, 0]),
        Kind::Void | Kind::Refund => Some([0x20, 0, 0]),
        Kind::Balance => Some([0x31, 0, 0]),
        _ => None,
    }
}

/// Whether the schedule asked for it: repeats and late reversals come on top.
pub fn is_scheduled(pending: &Pending) -> bool {
    pending.kind.is_trade() && !(pending.fault == Some(3) && pending.kind == Kind::Reversal)
}

impl Worker<'_> {
    /// One frame that came on a link.
    pub fn take_answer(&mut self, index: usize, frame: &[u8], now: u64) {
        let fields = match frame.get(BODY..).and_then(Fields::walk) {
            Some(fields) => fields,
            None => {
                return self.stats.error("unreadable", || format!("link {index}: {} bytes", frame.len()));
            }
        };
        let mti = fields.mti();
        let stan = fields.get(11).unwrap_or(&[]);
        let tid = fields.get(41).unwrap_or(&[]);
        let terminals = &self.terminals;
        let taken = self.links[index].take(|pending| {
            pending.stan == stan
                && mti == pending.mti + 0x10
                && terminals[pending.terminal as usize].tid == tid
        });
        let pending = match taken {
            Some(pending) => pending,
            None => {
                return self.stats.error("unasked", || {
                    format!("link {index}: {mti:04x} {stan:02x?} {}", String::from_utf8_lossy(tid))
                });
            }
        };
        self.check_fields(frame, &fields, &pending);
        let number = pending.terminal as usize;
        self.terminals[number].in_flight -= 1;
        if !pending.kind.is_signed() {
            return self.take_session(number, &pending, &fields, now);
        }
        let mut answer = told(&fields, pending, now);
        if answer.pending.repeats {
            answer.reply = Some(frame.into());
        }
        if let Want::Same(first) = &answer.pending.want {
            answer.is_same = **first == *frame;
        }
        match fields.get(64) {
            Some(field) if self.plan.verifies => {
                let field = u64::from_be_bytes(field.try_into().unwrap_or_default());
                let covered = &frame[BODY..frame.len() - 8];
                self.gather(ToVerify { link: index as u32, field, answer }, covered);
            }
            Some(_) => {
                self.stats.unverified += 1;
                self.believe(index, answer, true);
            }
            None => {
                if &answer.code == b"00" {
                    self.stats.error("unsigned", || format!("link {index}: {mti:04x} {stan:02x?}"));
                }
                self.stats.unsigned_refusals += 1;
                self.believe(index, answer, true);
            }
        }
    }

    /// TPDU turned round; 39 there; 3, 4 and 42 as asked. 11, 41 and the MTI found the request.
    fn check_fields(&mut self, frame: &[u8], fields: &Fields, pending: &Pending) {
        let asked = &self.plan.tpdu;
        let terminal = &self.terminals[pending.terminal as usize];
        let wrong = if frame[2] != asked[0] || frame[3..5] != asked[3..5] || frame[5..7] != asked[1..3] {
            Some("tpdu")
        } else if fields.get(39).is_none() && pending.kind != Kind::Settle {
            Some("39-absent")
        } else if fields.get(42) != Some(&terminal.mid[..]) {
            Some("42")
        } else if processing(pending.kind).map_or(false, |code| fields.get(3) != Some(&code[..])) {
            Some("3")
        } else if pending.kind.has_amount() && fields.get(4) != Some(&bcd_of::<6>(pending.original.amount)[..]) {
            Some("4")
        } else if fields.get(39) == Some(b"00") && fields.get(37).map_or(true, |rrn| rrn.contains(&b' ')) {
            Some("37")
        } else {
            None
        };
        self.stats.fields_checked += 1;
        if let Some(field) = wrong {
            let stan = pending.stan;
            self.stats.error("field", || {
                format!("{field} of the answer to {:?} {stan:02x?} is not as it must be", pending.kind)
            });
        }
    }

    /// A signed answer whose MAC has been judged.
    pub fn believe(&mut self, index: usize, answer: Answer, is_right: bool) {
        let Answer { ref pending, at_ns, code, .. } = answer;
        let number = pending.terminal as usize;
        *self.stats.codes.entry(code).or_insert(0) += 1;
        let of_kind = &mut self.stats.kinds[pending.kind as usize];
        of_kind.answered += 1;
        of_kind.approved += u64::from(&code == b"00");
        of_kind.latency.add(at_ns.saturating_sub(pending.due_ns));
        if is_scheduled(pending) {
            self.stats.answered += 1;
            self.stats.point.answered += 1;
            self.stats.end_ns = self.stats.end_ns.max(at_ns);
            let latency = at_ns.saturating_sub(pending.due_ns);
            self.stats.from_due.add(latency);
            self.stats.point.latency.add(latency);
            self.stats.from_sent.add(at_ns.saturating_sub(pending.sent_ns));
        }
        let as_wanted = match pending.want {
            Want::MacRefused => &code == b"A0",
            Want::Same(_) => answer.is_same,
            _ => &code == b"00",
        } && is_right;
        if !as_wanted {
            let tid = self.terminals[number].tid;
            self.stats.error("unexpected", || {
                format!("{} {:?} {:02x?}: {:?} answered {}", String::from_utf8_lossy(&tid), pending.kind,
                    pending.stan, pending.want, String::from_utf8_lossy(&code))
            });
        }
        self.count_fault(pending, as_wanted);
        if &code == b"00" && is_right && pending.kind != Kind::Repeat {
            self.book(number, &answer);
        }
        if let (true, Some(reply)) = (as_wanted && answer.pending.repeats, answer.reply) {
            return self.repeat(index, &answer.pending, reply, now_ns());
        }
        // The second message of a late reversal, and a repeat's first, hand no place back.
        if is_scheduled(&answer.pending) || answer.pending.kind == Kind::Repeat {
            self.ready_again(number);
        }
        self.settle_if_idle(number);
    }

    fn ready_again(&mut self, number: usize) {
        let link = self.terminals[number].link;
        self.links[link].ready.push_back(number as u32);
    }

    fn count_fault(&mut self, pending: &Pending, as_wanted: bool) {
        let ends = match pending.fault {
            Some(0) | Some(2) => true,
            Some(1) => pending.kind == Kind::Repeat || !as_wanted,
            Some(3) => pending.kind == Kind::Reversal || !as_wanted,
            _ => false,
        };
        if let (Some(fault), true) = (pending.fault, ends) {
            let counts = &mut self.stats.faults[fault as usize];
            if as_wanted {
                counts.as_expected += 1;
            } else {
                counts.otherwise += 1;
            }
        }
    }

    /// An approval goes into the terminal's books.
    fn book(&mut self, number: usize, answer: &Answer) {
        let pending = &answer.pending;
        let keeps = self.plan.mix[1] + self.plan.mix[2] + self.plan.mix[4] > 0;
        let terminal = &mut self.terminals[number];
        let amount = pending.original.amount;
        terminal.approved += 1;
        match pending.kind {
            Kind::Sale if !pending.is_undone => {
                terminal.totals.debit += amount;
                terminal.totals.debits += 1;
                terminal.postings += 1;
                if keeps {
                    terminal.keep(Original {
                        stan: number_of(&pending.stan).unwrap_or(0) as u32,
                        rrn: answer.rrn,
                        auth: answer.auth,
                        date: answer.date,
                        ..pending.original
                    });
                }
            }
            Kind::Sale => terminal.postings += 1,
            Kind::Void | Kind::Refund => {
                terminal.totals.credit += amount;
                terminal.totals.credits += 1;
                terminal.postings += 1;
            }
            Kind::Reversal if pending.fault.is_none() => {
                terminal.totals.debit -= amount;
                terminal.totals.debits -= 1;
            }
            _ => {}
        }
    }

    // ---- sign-on and settlement ------------------------------------------------------------------

    fn take_session(&mut self, number: usize, pending: &Pending, fields: &Fields, now: u64) {
        let of_kind = &mut self.stats.kinds[pending.kind as usize];
        of_kind.answered += 1;
        of_kind.latency.add(now.saturating_sub(pending.due_ns));
        let code = fields.get(39).unwrap_or(b"00");
        let outcome = if code != b"00" {
            Err(format!("answered {}", String::from_utf8_lossy(code)))
        } else {
            self.stats.kinds[pending.kind as usize].approved += 1;
            match pending.want {
                Want::Settled { clears } => self.settled(number, clears, fields),
                Want::Uploaded => {
                    self.terminals[number].close_batch();
                    Ok(Some(Control::SignOn))
                }
                _ => self.signed_on(number, fields),
            }
        };
        let link = self.terminals[number].link;
        match outcome {
            Ok(None) => {}
            Ok(Some(next)) => self.links[link].control.push_back((number as u32, next)),
            Err(why) => {
                self.terminals[number].phase = Phase::Dead;
                let tid = self.terminals[number].tid;
                self.stats.error("session", || {
                    format!("{} {:?}: {why}", String::from_utf8_lossy(&tid), pending.kind)
                });
            }
        }
    }

    fn signed_on(&mut self, number: usize, fields: &Fields) -> Result<Option<Control>, String> {
        let plan = self.plan;
        let terminal = &mut self.terminals[number];
        let tmk = &self.known[number].tmk;
        self.keys[number] = terminal.take_keys(fields, &plan.sign_on, tmk, plan.mac)?;
        if plan.clears && !terminal.has_cleared {
            terminal.has_cleared = true;
            terminal.phase = Phase::Settling;
            return Ok(Some(Control::Settle { clears: true }));
        }
        terminal.phase = Phase::Ready;
        let waiting = std::mem::take(&mut terminal.parked);
        for _ in 0..waiting {
            self.ready_again(number);
        }
        Ok(None)
    }

    /// Digits 30 and 61 of field 48 say whether each side is balanced.
    fn settled(&mut self, number: usize, clears: bool, fields: &Fields) -> Result<Option<Control>, String> {
        let block = fields.get(48).filter(|block| block.len() == 31).ok_or("no totals in field 48")?;
        let is_balanced = block[15] >> 4 == 1 && block[30] & 15 == 1;
        if clears {
            return Ok(Some(if is_balanced { Control::SignOn } else { Control::UploadEnd }));
        }
        self.stats.settled += 1;
        if !is_balanced {
            let ours = crate::message::totals_text(self.terminals[number].totals.list());
            let theirs: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(format!("not balanced: we say {ours}, the host {theirs}"));
        }
        self.stats.balanced += 1;
        self.terminals[number].close_batch();
        if self.stage == Stage::Closing {
            self.terminals[number].phase = Phase::Dead;
            return Ok(None);
        }
        Ok(Some(Control::SignOn))
    }
}
