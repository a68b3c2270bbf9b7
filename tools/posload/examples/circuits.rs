//! Writes `src/circuits.rs`: the eight S-boxes of FIPS 46-3 as straight lines of AND, OR, XOR, ANDN.
//!
//!     cargo run --release --example circuits -- SECONDS_A_BOX > src/circuits.rs
//!
//! The search starts from the tables alone. A wanted function (64 bits, one for each input) is
//! looked for among what is there, then as one gate, then as two gates over it; else it is split on
//! an input bit: `f = f0 ^ (bit & g)`, and both halves are looked for where they matter only. Every
//! split is tried with every bit that is left, the smallest result stays. Outputs are made in random
//! order, so that later ones find other things to share; the best of many starts is written.

#[path = "../src/tables.rs"]
mod tables;

use std::time::{Duration, Instant};

const INPUTS: [u64; 6] = [
    0xFFFF_FFFF_0000_0000,
    0xFFFF_0000_FFFF_0000,
    0xFF00_FF00_FF00_FF00,
    0xF0F0_F0F0_F0F0_F0F0,
    0xCCCC_CCCC_CCCC_CCCC,
    0xAAAA_AAAA_AAAA_AAAA,
];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Gate {
    And,
    Or,
    Xor,
    Andn,
    Not,
}

#[derive(Clone)]
struct Circuit {
    values: Vec<u64>,
    gates: Vec<(Gate, u8, u8)>,
}

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            let j = (self.next() % (i as u64 + 1)) as usize;
            list.swap(i, j);
        }
    }
}

fn value_of(gate: Gate, a: u64, b: u64) -> u64 {
    match gate {
        Gate::And => a & b,
        Gate::Or => a | b,
        Gate::Xor => a ^ b,
        Gate::Andn => a & !b,
        Gate::Not => !a,
    }
}

impl Circuit {
    fn add(&mut self, gate: Gate, a: usize, b: usize) -> usize {
        let value = value_of(gate, self.values[a], self.values[b]);
        if let Some(found) = self.values.iter().position(|&v| v == value) {
            return found;
        }
        self.values.push(value);
        self.gates.push((gate, a as u8, b as u8));
        self.values.len() - 1
    }

    /// The wanted function out of at most `room` gates more, where `mask` says that it matters.
    fn make(&mut self, want: u64, mask: u64, bits: u8, room: usize, dice: &mut Dice) -> Option<usize> {
        if let Some(found) = self.existing(want, mask) {
            return Some(found);
        }
        if room == 0 {
            return None;
        }
        if let Some(found) = self.one_gate(want, mask) {
            return Some(found);
        }
        if room >= 2 {
            if let Some(found) = self.two_gates(want, mask, dice) {
                return Some(found);
            }
        }
        if room < 3 {
            return None;
        }
        self.split(want, mask, bits, room, dice)
    }

    fn existing(&self, want: u64, mask: u64) -> Option<usize> {
        self.values.iter().position(|&v| (v ^ want) & mask == 0)
    }

    fn one_gate(&mut self, want: u64, mask: u64) -> Option<usize> {
        let count = self.values.len();
        for i in 0..count {
            let a = self.values[i];
            for j in 0..i {
                let b = self.values[j];
                for gate in [Gate::Xor, Gate::And, Gate::Or, Gate::Andn] {
                    if (value_of(gate, a, b) ^ want) & mask == 0 {
                        return Some(self.add(gate, i, j));
                    }
                }
                if ((b & !a) ^ want) & mask == 0 {
                    return Some(self.add(Gate::Andn, j, i));
                }
            }
        }
        for i in 0..count {
            if (!self.values[i] ^ want) & mask == 0 {
                return Some(self.add(Gate::Not, i, i));
            }
        }
        None
    }

    fn two_gates(&mut self, want: u64, mask: u64, dice: &mut Dice) -> Option<usize> {
        let count = self.values.len();
        let start = dice.next() as usize % count;
        let w = want & mask;
        for step in 0..count {
            let i = (start + step) % count;
            let a = self.values[i];
            for j in 0..count {
                if i == j {
                    continue;
                }
                let b = self.values[j];
                for gate in [Gate::Xor, Gate::And, Gate::Or, Gate::Andn] {
                    if gate != Gate::Andn && j > i {
                        continue;
                    }
                    let c = value_of(gate, a, b);
                    // What the third must be is known at once for XOR; else it is bounded.
                    let need = (c ^ want) & mask;
                    let may_and = w & !c == 0;
                    let may_or = c & mask & !want == 0;
                    let may_andn_of = (c & w) == 0; // k & !c
                    for k in 0..count {
                        let d = self.values[k];
                        let outer = if (d & mask) == need {
                            Some((Gate::Xor, false))
                        } else if may_and && (c & d & mask) == w {
                            Some((Gate::And, false))
                        } else if may_or && ((c | d) & mask) == w {
                            Some((Gate::Or, false))
                        } else if may_and && (c & !d & mask) == w {
                            Some((Gate::Andn, false))
                        } else if may_andn_of && (d & !c & mask) == w {
                            Some((Gate::Andn, true))
                        } else {
                            None
                        };
                        if let Some((outer, turned)) = outer {
                            let inner = self.add(gate, i, j);
                            let (x, y) = if turned { (k, inner) } else { (inner, k) };
                            return Some(self.add(outer, x, y));
                        }
                    }
                }
            }
        }
        None
    }

    fn split(&mut self, want: u64, mask: u64, bits: u8, room: usize, dice: &mut Dice) -> Option<usize> {
        let mut best: Option<(Circuit, usize)> = None;
        let mut room = room;
        let mut ways: Vec<(usize, u8)> = Vec::new();
        for bit in 0..6 {
            if bits >> bit & 1 == 1 {
                ways.extend([(bit, 0), (bit, 1), (bit, 2), (bit, 3)]);
            }
        }
        dice.shuffle(&mut ways);
        // At the top there are too many: some of them, another time others.
        if bits.count_ones() == 6 {
            ways.truncate(6);
        } else if bits.count_ones() == 5 {
            ways.truncate(10);
        }
        for (bit, way) in ways {
            let mut trial = self.clone();
            let before = trial.gates.len();
            let made = match trial.by(bit, way, want, mask, bits & !(1 << bit), room, dice) {
                Some(made) => made,
                None => continue,
            };
            let used = trial.gates.len() - before;
            if used <= room {
                room = used - 1;
                best = Some((trial, made));
            }
        }
        let (circuit, made) = best?;
        *self = circuit;
        Some(made)
    }

    #[allow(clippy::too_many_arguments)]
    fn by(
        &mut self, bit: usize, way: u8, want: u64, mask: u64, bits: u8, room: usize, dice: &mut Dice,
    ) -> Option<usize> {
        let x = INPUTS[bit];
        let before = self.gates.len();
        // way 0: base ^ (x & g)    way 1: base ^ (g & !x)    way 2: base ^ (x | g)    way 3: select
        let (base_want, base_mask, other) = match way {
            0 => (want, mask & !x, mask & x),
            1 => (want, mask & x, mask & !x),
            2 => (!want, mask & x, mask & !x),
            _ => (want, mask & !x, mask & x),
        };
        let base = self.make(base_want, base_mask, bits, room.checked_sub(2)?, dice)?;
        let left = (room - 2).checked_sub(self.gates.len() - before)?;
        if way == 3 {
            // (base & !x) | (g & x) costs three; worth it only where g is there already.
            let g = self.existing(want, other)?;
            let off = self.add(Gate::Andn, base, bit);
            let on = self.add(Gate::And, g, bit);
            return Some(self.add(Gate::Or, off, on));
        }
        let delta = want ^ self.values[base];
        let g = self.make(delta, other, bits, left, dice)?;
        let part = match way {
            0 => self.add(Gate::And, g, bit),
            1 => self.add(Gate::Andn, g, bit),
            _ => self.add(Gate::Or, g, bit),
        };
        Some(self.add(Gate::Xor, base, part))
    }
}

fn wanted(sbox: usize) -> [u64; 4] {
    let mut outputs = [0u64; 4];
    for input in 0..64usize {
        let value = tables::sbox(sbox, input as u8);
        for (bit, output) in outputs.iter_mut().enumerate() {
            *output |= u64::from(value >> (3 - bit) & 1) << input;
        }
    }
    outputs
}

fn search(sbox: usize, seconds: u64, dice: &mut Dice) -> (Circuit, [usize; 4]) {
    let outputs = wanted(sbox);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut best: Option<(Circuit, [usize; 4])> = None;
    while best.is_none() || Instant::now() < end {
        let mut circuit = Circuit { values: INPUTS.to_vec(), gates: Vec::new() };
        let mut order = [0, 1, 2, 3];
        dice.shuffle(&mut order);
        let mut places = [0; 4];
        let most = best.as_ref().map_or(120, |(b, _)| b.gates.len() - 1);
        let whole = order.iter().all(|&output| {
            let room = most.saturating_sub(circuit.gates.len());
            match circuit.make(outputs[output], !0, 0x3F, room.min(45), dice) {
                Some(place) => {
                    places[output] = place;
                    true
                }
                None => false,
            }
        });
        if whole && circuit.gates.len() <= most {
            eprintln!("S{}: {} gates", sbox + 1, circuit.gates.len());
            best = Some((circuit, places));
        }
    }
    best.unwrap()
}

fn print(sbox: usize, circuit: &Circuit, places: &[usize; 4]) {
    let name = |i: usize| if i < 6 { format!("x[{i}]") } else { format!("g{}", i - 6) };
    println!("\n/// S{}: {} gates.", sbox + 1, circuit.gates.len());
    println!("#[inline(always)]");
    println!("pub fn s{}<L: Lanes>(x: [L; 6]) -> [L; 4] {{", sbox + 1);
    for (i, &(gate, a, b)) in circuit.gates.iter().enumerate() {
        let (a, b) = (name(a as usize), name(b as usize));
        let text = match gate {
            Gate::And => format!("{a}.and({b})"),
            Gate::Or => format!("{a}.or({b})"),
            Gate::Xor => format!("{a}.xor({b})"),
            Gate::Andn => format!("{a}.andn({b})"),
            Gate::Not => format!("{a}.not()"),
        };
        println!("    let g{i} = {text};");
    }
    let outputs: Vec<String> = places.iter().map(|&place| name(place)).collect();
    println!("    [{}]\n}}", outputs.join(", "));
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    println!("//! The S-boxes of FIPS 46-3 as gates. Written by `examples/circuits.rs`: do not edit.");
    println!("//!");
    println!("//! `x[0]` is the most significant input bit, `[0]` of the result the most significant output.");
    println!("\nuse crate::lanes::Lanes;");
    for sbox in 0..8 {
        let (circuit, places) = search(sbox, seconds, &mut dice);
        print(sbox, &circuit, &places);
    }
}
