//! A reader that is slow on purpose: it asks for many echoes, reads nothing for a while, then all.

use crate::codec::{Fields, Packer, BODY};
use crate::plan::Plan;
use crate::stats::Planted;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const ECHOES: usize = 2_000;
const ANSWER_S_MAX: u64 = 20;

/// Every echo must be answered, approved, however late it is read.
pub fn run(plan: &Plan, address: &SocketAddr, number: usize) -> Planted {
    let mut result = Planted { planted: ECHOES as u64, ..Planted::default() };
    result.as_expected = talk(plan, address, number).unwrap_or(0);
    result.otherwise = result.planted - result.as_expected;
    result
}

fn talk(plan: &Plan, address: &SocketAddr, number: usize) -> std::io::Result<u64> {
    let known = &plan.terminals[number % plan.terminals.len()];
    let frame = Packer::new(0x0820)
        .put(41, &known.tid)
        .put(42, &known.mid)
        .put(60, format!("00{:06}301", plan.batch).as_bytes())
        .frame(&plan.tpdu, &plan.header);
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(ANSWER_S_MAX)))?;
    let mut writer = stream.try_clone()?;
    // The host may stop reading while nobody takes its answers: the writer must not wait for it.
    let writing = std::thread::spawn(move || (0..ECHOES).all(|_| writer.write_all(&frame).is_ok()));
    std::thread::sleep(Duration::from_nanos(plan.slow_ns));
    let mut right = 0;
    let mut size = [0u8; 2];
    for _ in 0..ECHOES {
        stream.read_exact(&mut size)?;
        let mut rest = vec![0u8; u16::from_be_bytes(size) as usize];
        stream.read_exact(&mut rest)?;
        let is_right = rest.get(BODY - 2..).and_then(Fields::walk).map_or(false, |fields| {
            fields.mti() == 0x0830 && fields.get(39) == Some(b"00") && fields.get(41) == Some(&known.tid[..])
        });
        right += u64::from(is_right);
    }
    drop(writing.join());
    Ok(right)
}
