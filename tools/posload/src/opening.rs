//! Before and after the load: a worker made, its terminals signed on, their batches settled.

use crate::arrivals::Arrivals;
use crate::breaker::Breaker;
use crate::dice::Dice;
use crate::link::{connect, Control, Link, Want};
use crate::mac::{MacBatch, MacKey};
use crate::message::{cards, Kind, Original, Templates};
use crate::plan::{Known, Plan};
use crate::progress::Progress;
use crate::stats::Stats;
use crate::sys::{now_ns, Poll};
use crate::terminal::{Phase, Terminal};
use crate::worker::{Stage, Worker, RECEIVE_SIZE, STOP, WAIT_MS};
use std::io;
use std::net::SocketAddr;
use std::os::unix::io::AsRawFd;
use std::sync::atomic::Ordering;

const CONTROL_S_MAX: u64 = 60;

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
            woke_at_ns: 0,
            is_held: false,
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

    /// Every terminal signs on.
    pub fn open(&mut self) {
        for index in 0..self.terminals.len() {
            let link = self.terminals[index].link;
            self.links[link].control.push_back((index as u32, Control::SignOn));
        }
        self.talk();
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

    pub fn is_busy(&self) -> bool {
        self.links.iter().any(|link| !link.is_dead && (link.in_flight > 0 || !link.control.is_empty()))
    }

    pub fn say(&mut self, number: usize, control: Control, now: u64) {
        let (kind, want) = match control {
            Control::SignOn => (Kind::SignOn, Want::SignedOn),
            Control::Settle { clears } => (Kind::Settle, Want::Settled { clears }),
            Control::UploadEnd => (Kind::UploadEnd, Want::Uploaded),
        };
        self.request(number, kind, Original::default(), want, None, now, now);
    }
}
