//! One connection: bytes to be sent, bytes half received, and the requests that wait for answers.

use crate::message::{Kind, Original};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const CONNECT_S_MAX: u64 = 10;

/// What the answer must be.
#[derive(Clone, Debug)]
pub enum Want {
    Approved,
    /// Refused with A0: its MAC was made wrong.
    MacRefused,
    /// These bytes again.
    Same(Box<[u8]>),
    SignedOn,
    Settled { clears: bool },
    Uploaded,
}

#[derive(Clone)]
pub struct Pending {
    pub terminal: u32,
    pub kind: Kind,
    pub mti: u16,
    pub stan: [u8; 3],
    pub want: Want,
    pub original: Original,
    pub due_ns: u64,
    pub sent_ns: u64,
    /// Which fault it belongs to, if any: an index of `stats::FAULT_NAMES`.
    pub fault: Option<u8>,
    /// A repeat is planted on it: its own bytes, once they are signed.
    pub repeats: bool,
    pub bytes: Option<Box<[u8]>>,
    /// Its reversal is already on the way: it is not counted and not kept.
    pub is_undone: bool,
    pub is_live: bool,
}

/// What is said next on a link, before any trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    SignOn,
    Settle { clears: bool },
    UploadEnd,
}

pub struct Link {
    pub stream: TcpStream,
    pub out: Vec<u8>,
    pub out_done: usize,
    pub left: Vec<u8>,
    pub pending: VecDeque<Pending>,
    /// Number of the first of `pending`, since the link began.
    pub first: u64,
    pub in_flight: usize,
    pub ready: VecDeque<u32>,
    pub control: VecDeque<(u32, Control)>,
    pub is_dirty: bool,
    pub waits_to_write: bool,
    pub is_dead: bool,
}

pub fn connect(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, Duration::from_secs(CONNECT_S_MAX))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Link {
    pub fn new(stream: TcpStream) -> Link {
        Link {
            stream,
            out: Vec::with_capacity(32 << 10),
            out_done: 0,
            left: Vec::new(),
            pending: VecDeque::new(),
            first: 0,
            in_flight: 0,
            ready: VecDeque::new(),
            control: VecDeque::new(),
            is_dirty: false,
            waits_to_write: false,
            is_dead: false,
        }
    }

    /// Adds one that waits; its number.
    pub fn expect(&mut self, pending: Pending) -> u64 {
        self.pending.push_back(pending);
        self.in_flight += 1;
        self.first + self.pending.len() as u64 - 1
    }

    pub fn numbered(&mut self, number: u64) -> Option<&mut Pending> {
        let index = number.checked_sub(self.first)?;
        self.pending.get_mut(index as usize)
    }

    /// Takes the one that an answer is for. Answers mostly come in order: the first is tried first.
    #[inline]
    pub fn take(&mut self, is_it: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let index = self.pending.iter().position(|pending| pending.is_live && is_it(pending))?;
        self.in_flight -= 1;
        if index > 0 {
            let found = &mut self.pending[index];
            found.is_live = false;
            return Some(found.clone());
        }
        let found = self.pending.pop_front();
        self.first += 1;
        while self.pending.front().map_or(false, |pending| !pending.is_live) {
            self.pending.pop_front();
            self.first += 1;
        }
        found
    }

    /// Everything that still waits, given up.
    pub fn give_up(&mut self) -> Vec<Pending> {
        self.in_flight = 0;
        self.first += self.pending.len() as u64;
        self.pending.drain(..).filter(|pending| pending.is_live).collect()
    }

    /// Sends what is there; `false` where some of it must wait. The count of bytes.
    pub fn send(&mut self) -> io::Result<(usize, bool)> {
        let mut sent = 0;
        while self.out_done < self.out.len() {
            match self.stream.write(&self.out[self.out_done..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.out_done += count;
                    sent += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((sent, false)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.out_done = 0;
        Ok((sent, true))
    }

    /// What came, behind what was left of before, at the front of `into`; how much in all.
    pub fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let kept = self.left.len();
        into[..kept].copy_from_slice(&self.left);
        loop {
            return match self.stream.read(&mut into[kept..]) {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.left.clear();
                    Ok(kept + count)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }
}
