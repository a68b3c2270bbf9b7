//! MACs of the UnionPay terminal dialect, of X9.9 and X9.19: alone, and by the batch of 256.
//!
//! What is covered and how "ECB" goes is in the dialect's public description (MTI to the end of
//! field 63, zeros behind): the blocks xored to X, X as 16 hex characters H1 H2,
//! E(E(H1) ^ H2), the first 8 hex characters of that. A batch is worked through in lanes; a few
//! messages are quicker one by one.

use crate::bitslice::{work, Batch, Task};
use crate::des::Cipher;
use crate::lanes::LANES;
use crate::sm4::Sm4;

/// Below so many messages the scalar cipher is quicker than a pass of 256 lanes.
pub const LANES_FROM: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    UnionpayEcb,
    X99,
    X919,
    Sm4Unionpay,
}

impl Algorithm {
    pub fn of(name: &str) -> Option<Algorithm> {
        Some(match name {
            "unionpay-ecb" => Algorithm::UnionpayEcb,
            "x9.9" => Algorithm::X99,
            "x9.19" => Algorithm::X919,
            "sm4-unionpay" => Algorithm::Sm4Unionpay,
            _ => return None,
        })
    }
}

/// A MAC key, ready for either way. A key of 8 bytes serves where 16 are wanted, doubled.
#[derive(Clone)]
pub struct MacKey {
    words: [u64; 2],
    is_double: bool,
    left: Cipher,
    whole: Cipher,
    sm4: Option<Box<Sm4>>,
}

impl MacKey {
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Option<MacKey> {
        if key.len() != 8 && key.len() != 16 {
            return None;
        }
        let word = |at: usize| Some(u64::from_be_bytes(key.get(at..at + 8)?.try_into().ok()?));
        let first = word(0)?;
        let sm4 = match algorithm {
            Algorithm::Sm4Unionpay => Some(Box::new(Sm4::new(key.try_into().ok()?))),
            _ => None,
        };
        Some(MacKey {
            words: [first, word(8).unwrap_or(first)],
            is_double: key.len() == 16,
            left: Cipher::new(&key[..8])?,
            whole: Cipher::new(key)?,
            sm4,
        })
    }
}

/// Blocks of eight, the last one filled up with zeros; nothing at all is one block of zeros.
fn blocks(covered: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let whole = covered.chunks_exact(8);
    let rest = whole.remainder();
    let mut last = [0u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    let tail = if rest.is_empty() && !covered.is_empty() { None } else { Some(u64::from_be_bytes(last)) };
    whole.map(|block| u64::from_be_bytes(block.try_into().unwrap())).chain(tail)
}

/// All blocks xored together.
#[inline]
pub fn fold(covered: &[u8]) -> u64 {
    let mut sums = [0u64; 4];
    let mut quads = covered.chunks_exact(32);
    for quad in &mut quads {
        for (sum, block) in sums.iter_mut().zip(quad.chunks_exact(8)) {
            *sum ^= u64::from_ne_bytes(block.try_into().unwrap());
        }
    }
    let rest = quads.remainder();
    let mut last = [0u8; 32];
    last[..rest.len()].copy_from_slice(rest);
    for (sum, block) in sums.iter_mut().zip(last.chunks_exact(8)) {
        *sum ^= u64::from_ne_bytes(block.try_into().unwrap());
    }
    u64::from_be(sums[0] ^ sums[1] ^ sums[2] ^ sums[3])
}

/// Eight upper-case hex characters, the first in the most significant byte.
#[inline]
pub fn hex(value: u32) -> u64 {
    let mut x = u64::from(value);
    x = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
    x = (x | x << 8) & 0x00FF_00FF_00FF_00FF;
    x = (x | x << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    let letters = (x + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    x + 0x3030_3030_3030_3030 + letters * 7
}

/// Field 64 of one message: raw for X9.9 and X9.19 unless `as_hex`.
pub fn one(algorithm: Algorithm, as_hex: bool, key: &MacKey, covered: &[u8]) -> u64 {
    let raw = match algorithm {
        Algorithm::UnionpayEcb => return ecb(key, fold(covered)),
        Algorithm::Sm4Unionpay => {
            let raw = key.sm4.as_ref().map_or(0, |sm4| sm4.unionpay(covered));
            return hex((raw >> 32) as u32);
        }
        Algorithm::X99 => blocks(covered).fold(0, |state, block| key.whole.encrypt(state ^ block)),
        Algorithm::X919 => x919_end(key, blocks(covered).fold(0, |s, block| key.left.encrypt(s ^ block))),
    };
    field_of(raw, as_hex)
}

fn ecb(key: &MacKey, folded: u64) -> u64 {
    let first = key.whole.encrypt(hex((folded >> 32) as u32));
    let second = key.whole.encrypt(first ^ hex(folded as u32));
    hex((second >> 32) as u32)
}

fn x919_end(key: &MacKey, state: u64) -> u64 {
    key.left.encrypt(Cipher::new(&key.words[1].to_be_bytes()).map_or(0, |right| right.decrypt(state)))
}

fn field_of(raw: u64, as_hex: bool) -> u64 {
    if as_hex {
        hex((raw >> 32) as u32)
    } else {
        raw
    }
}

/// Messages whose MACs are worked out together: pushed one by one, then run.
pub struct MacBatch {
    algorithm: Algorithm,
    as_hex: bool,
    count: usize,
    keys: Vec<u32>,
    /// What each lane starts from: X of "ECB"; else where its blocks begin in `stored`.
    folded: Vec<u64>,
    stored: Vec<u64>,
    ends: Vec<usize>,
    fields: Vec<u64>,
    bytes: Vec<Vec<u8>>,
    lanes: Box<[Batch; 4]>,
}

impl MacBatch {
    pub fn new(algorithm: Algorithm, as_hex: bool) -> MacBatch {
        MacBatch {
            algorithm,
            as_hex,
            count: 0,
            keys: vec![0; LANES],
            folded: vec![0; LANES],
            stored: Vec::new(),
            ends: vec![0; LANES],
            fields: vec![0; LANES],
            bytes: Vec::new(),
            lanes: Box::new([[0; LANES]; 4]),
        }
    }

    pub fn is_full(&self) -> bool {
        self.count == LANES
    }

    /// One message more; `key` is its index in what `run` will be given.
    #[inline]
    pub fn push(&mut self, key: usize, covered: &[u8]) {
        let lane = self.count;
        self.keys[lane] = key as u32;
        match self.algorithm {
            Algorithm::UnionpayEcb => self.folded[lane] = fold(covered),
            Algorithm::Sm4Unionpay => self.bytes.push(covered.to_vec()),
            _ => {
                self.stored.extend(blocks(covered));
                self.ends[lane] = self.stored.len();
            }
        }
        self.count += 1;
    }

    /// Field 64 of each message, in the order they were pushed; the batch is empty afterwards.
    pub fn run(&mut self, keys: &[MacKey]) -> &[u64] {
        let count = self.count;
        self.count = 0;
        if count == 0 {
            return &[];
        }
        match self.algorithm {
            Algorithm::Sm4Unionpay => {
                for (lane, bytes) in self.bytes.drain(..).enumerate() {
                    self.fields[lane] =
                        one(self.algorithm, self.as_hex, &keys[self.keys[lane] as usize], &bytes);
                }
            }
            Algorithm::UnionpayEcb if count < LANES_FROM => {
                for lane in 0..count {
                    self.fields[lane] = ecb(&keys[self.keys[lane] as usize], self.folded[lane]);
                }
            }
            Algorithm::UnionpayEcb => self.ecb_lanes(count, keys),
            _ => self.chain_lanes(count, keys),
        }
        self.stored.clear();
        &self.fields[..count]
    }

    /// Keys into lanes; whether any of them is a double one. Lanes past `count` keep what they had.
    fn load_keys(&mut self, count: usize, keys: &[MacKey]) -> bool {
        let [_, _, first, second] = &mut *self.lanes;
        let mut is_double = false;
        for lane in 0..count {
            let key = &keys[self.keys[lane] as usize];
            first[lane] = key.words[0];
            second[lane] = key.words[1];
            is_double |= key.is_double;
        }
        is_double
    }

    fn ecb_lanes(&mut self, count: usize, keys: &[MacKey]) {
        let is_double = self.load_keys(count, keys);
        let [a, b, first, second] = &mut *self.lanes;
        for lane in 0..count {
            a[lane] = hex((self.folded[lane] >> 32) as u32);
            b[lane] = hex(self.folded[lane] as u32);
        }
        // A single key beside double ones has both halves alike: EDE under it is plain DES.
        work(Task::Twice, a, b, first, if is_double { Some(second) } else { None });
        for lane in 0..count {
            self.fields[lane] = hex((a[lane] >> 32) as u32);
        }
    }

    fn chain_lanes(&mut self, count: usize, keys: &[MacKey]) {
        let is_double = self.load_keys(count, keys);
        let [a, state, first, second] = &mut *self.lanes;
        state.fill(0);
        let begin = |lane: usize, ends: &[usize]| if lane == 0 { 0 } else { ends[lane - 1] };
        let longest = (0..count).map(|lane| self.ends[lane] - begin(lane, &self.ends)).max().unwrap_or(0);
        let both = self.algorithm == Algorithm::X99 && is_double;
        for step in 0..longest {
            for lane in 0..count {
                let at = begin(lane, &self.ends) + step;
                a[lane] = state[lane] ^ if at < self.ends[lane] { self.stored[at] } else { 0 };
            }
            work(Task::Encrypt, a, &[0; LANES], first, if both { Some(second) } else { None });
            for lane in 0..count {
                if begin(lane, &self.ends) + step < self.ends[lane] {
                    state[lane] = a[lane];
                }
            }
        }
        if self.algorithm == Algorithm::X919 {
            work(Task::Decrypt, state, &[0; LANES], second, None);
            work(Task::Encrypt, state, &[0; LANES], first, None);
        }
        for lane in 0..count {
            self.fields[lane] = field_of(state[lane], self.as_hex);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    const SHORT: &[u8] = b"0123456789ABC";
    const SINGLE: [u8; 8] = 0x575B6B798C761992u64.to_be_bytes();
    const DOUBLE: [u8; 16] = 0x0123456789ABCDEFFEDCBA9876543210u128.to_be_bytes();
    // The captured 0210 of the dialect sheet, section 5.2, vector A.
    const CAPTURED: &str = "0210703E02810AD08213166225000000000014000000000000000001000134091947042815120427000100080009584030393139343731343530363030303538343032303031333032343430333830363231313030223930333130303030202020303330323538343020202031353600179F3602031E910A42FE066E2918B08830300013220000070005000003435550";

    fn mac(name: &str, key: &[u8], covered: &[u8]) -> u64 {
        let algorithm = Algorithm::of(name).unwrap();
        one(algorithm, false, &MacKey::new(algorithm, key).unwrap(), covered)
    }

    fn text(value: &str) -> u64 {
        u64::from_be_bytes(value.as_bytes().try_into().unwrap())
    }

    fn captured() -> Vec<u8> {
        (0..CAPTURED.len()).step_by(2).map(|i| u8::from_str_radix(&CAPTURED[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_sheets_vectors_come_out() {
        let a = captured();
        assert_eq!(fold(&a), 0xEE0C551B3DC20645);
        assert_eq!(mac("unionpay-ecb", &SINGLE, &a), text("51D8741E"));
        assert_eq!(mac("unionpay-ecb", &DOUBLE, &a), text("31617498"));
        assert_eq!(mac("x9.9", &SINGLE, &a), 0xE5C79C9DB3F4691F);
        assert_eq!(mac("x9.9", &DOUBLE, &a), 0xD2B5DD9E1A488FB1);
        assert_eq!(mac("x9.19", &DOUBLE, &a), 0x1DCFFE1335462612);
        assert_eq!(mac("sm4-unionpay", &DOUBLE, &a), text("220FE0A4"));
        assert_eq!(mac("unionpay-ecb", &SINGLE, SHORT), text("3B6AB0B8"));
        assert_eq!(mac("unionpay-ecb", &DOUBLE, SHORT), text("98141CFA"));
        assert_eq!(mac("x9.9", &SINGLE, SHORT), 0x1CFA9AE1B3BAE2E4);
        assert_eq!(mac("x9.19", &DOUBLE, SHORT), 0x5D0CCB3FBAE083AC);
        assert_eq!(mac("sm4-unionpay", &DOUBLE, SHORT), text("46FD96A8"));
    }

    #[test]
    fn a_batch_is_each_of_its_messages() {
        let mut dice = Dice::new(3);
        for name in ["unionpay-ecb", "x9.9", "x9.19", "sm4-unionpay"] {
            let algorithm = Algorithm::of(name).unwrap();
            for count in [1, 2, LANES_FROM - 1, LANES_FROM, 100, LANES] {
                let singles = name != "sm4-unionpay";
                let keys: Vec<MacKey> = (0..7)
                    .map(|i| {
                        let bytes = [dice.next().to_be_bytes(), dice.next().to_be_bytes()].concat();
                        MacKey::new(algorithm, &bytes[..if singles && i % 2 == 0 { 8 } else { 16 }]).unwrap()
                    })
                    .collect();
                let mut batch = MacBatch::new(algorithm, false);
                let mut wanted = Vec::new();
                for lane in 0..count {
                    let size = dice.below(300) as usize;
                    let message: Vec<u8> = (0..size).map(|_| dice.next() as u8).collect();
                    batch.push(lane % 7, &message);
                    wanted.push(one(algorithm, false, &keys[lane % 7], &message));
                }
                assert_eq!(batch.run(&keys), &wanted[..], "{name} of {count}");
                assert!(batch.run(&keys).is_empty());
            }
        }
    }
}
