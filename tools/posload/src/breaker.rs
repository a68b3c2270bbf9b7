//! Lines that break in the middle of a frame, planted beside the load by a thread of their own.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{channel, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

const CONNECT_S_MAX: u64 = 5;

pub struct Breaker {
    address: SocketAddr,
    running: Option<(Sender<Vec<u8>>, JoinHandle<u64>)>,
}

impl Breaker {
    pub fn new(address: SocketAddr) -> Breaker {
        Breaker { address, running: None }
    }

    /// Sends a part of a frame on a connection of its own, which then closes.
    pub fn send(&mut self, part: Vec<u8>) {
        let address = self.address;
        let (sender, _) = self.running.get_or_insert_with(|| {
            let (sender, parts) = channel::<Vec<u8>>();
            let thread = std::thread::spawn(move || {
                parts.iter().filter(|part| !is_cut(&address, part)).count() as u64
            });
            (sender, thread)
        });
        drop(sender.send(part));
    }

    /// Waits for the last one; how many could not be planted.
    pub fn finish(&mut self) -> u64 {
        match self.running.take() {
            None => 0,
            Some((sender, thread)) => {
                drop(sender);
                thread.join().unwrap_or(1)
            }
        }
    }
}

fn is_cut(address: &SocketAddr, part: &[u8]) -> bool {
    TcpStream::connect_timeout(address, Duration::from_secs(CONNECT_S_MAX))
        .and_then(|mut stream| stream.write_all(part))
        .is_ok()
}
