//! DES and 3DES by FIPS 46-3, one block at a time, by tables.
//!
//! For test keys in a load generator: it looks things up by secrets, so it is not in constant time.

use crate::tables::{sbox, IP, P, PC1, PC2, SHIFTS};

/// For each byte of a block, where IP puts its bits; and the same for the way back.
static IP_BYTES: [[u64; 256]; 8] = spread(&IP);
static FP_BYTES: [[u64; 256]; 8] = spread(&inverse(&IP));
/// S-box and P in one: what six bits of a round add to the other half.
static SP: [[u32; 64]; 8] = sp();
/// For each round the place, in the 64-bit key from 0, of each of its 48 bits.
pub const KEY_BITS: [[u8; 48]; 16] = key_bits();

const fn inverse(order: &[u8; 64]) -> [u8; 64] {
    let mut out = [0; 64];
    let mut i = 0;
    while i < 64 {
        out[order[i] as usize - 1] = i as u8 + 1;
        i += 1;
    }
    out
}

const fn spread(order: &[u8; 64]) -> [[u64; 256]; 8] {
    let mut out = [[0u64; 256]; 8];
    let mut to = 0;
    while to < 64 {
        let from = order[to] as usize - 1;
        let mut value = 0;
        while value < 256 {
            if value >> (7 - from % 8) & 1 == 1 {
                out[from / 8][value] |= 1 << (63 - to);
            }
            value += 1;
        }
        to += 1;
    }
    out
}

const fn sp() -> [[u32; 64]; 8] {
    let mut out = [[0u32; 64]; 8];
    let mut to = 0;
    while to < 32 {
        let from = P[to] as usize - 1;
        let mut input = 0;
        while input < 64 {
            if sbox(from / 4, input as u8) >> (3 - from % 4) & 1 == 1 {
                out[from / 4][input] |= 1 << (31 - to);
            }
            input += 1;
        }
        to += 1;
    }
    out
}

const fn key_bits() -> [[u8; 48]; 16] {
    let mut out = [[0u8; 48]; 16];
    let mut turned = 0;
    let mut round = 0;
    while round < 16 {
        turned += SHIFTS[round] as usize;
        let mut i = 0;
        while i < 48 {
            let place = PC2[i] as usize - 1;
            let half = place / 28 * 28;
            out[round][i] = PC1[half + (place - half + turned) % 28] - 1;
            i += 1;
        }
        round += 1;
    }
    out
}

/// One DES key, scheduled: eight chunks of six bits a round.
#[derive(Clone, Copy, Default)]
pub struct Des {
    rounds: [[u8; 8]; 16],
}

impl Des {
    pub fn new(key: u64) -> Des {
        let mut rounds = [[0u8; 8]; 16];
        for (round, bits) in rounds.iter_mut().zip(KEY_BITS.iter()) {
            for (i, &bit) in bits.iter().enumerate() {
                round[i / 6] |= ((key >> (63 - bit) & 1) as u8) << (5 - i % 6);
            }
        }
        Des { rounds }
    }

    pub fn encrypt(&self, block: u64) -> u64 {
        final_of(self.rounds.iter().fold(first_of(block), turn))
    }

    pub fn decrypt(&self, block: u64) -> u64 {
        final_of(self.rounds.iter().rev().fold(first_of(block), turn))
    }
}

#[inline(always)]
fn bytes_through(tables: &[[u64; 256]; 8], block: u64) -> u64 {
    let bytes = block.to_be_bytes();
    (0..8).fold(0, |sum, i| sum | tables[i][bytes[i] as usize])
}

#[inline(always)]
fn first_of(block: u64) -> (u32, u32) {
    let mixed = bytes_through(&IP_BYTES, block);
    ((mixed >> 32) as u32, mixed as u32)
}

#[inline(always)]
fn final_of((left, right): (u32, u32)) -> u64 {
    bytes_through(&FP_BYTES, u64::from(right) << 32 | u64::from(left))
}

#[inline(always)]
fn turn((left, right): (u32, u32), key: &[u8; 8]) -> (u32, u32) {
    let mut out = left;
    for i in 0..8 {
        // S-box i reads bits 4i to 4i + 5 of the half, where bit 0 is bit 32.
        let six = right.rotate_left(4 * i as u32 + 5) as u8 & 63;
        out ^= SP[i][(six ^ key[i]) as usize];
    }
    (right, out)
}

/// A key of 8 bytes (DES) or 16 (3DES, encrypt-decrypt-encrypt).
#[derive(Clone, Copy)]
pub struct Cipher {
    first: Des,
    second: Option<Des>,
}

impl Cipher {
    pub fn new(key: &[u8]) -> Option<Cipher> {
        let half = |at: usize| Some(Des::new(u64::from_be_bytes(key.get(at..at + 8)?.try_into().ok()?)));
        match key.len() {
            8 => Some(Cipher { first: half(0)?, second: None }),
            16 => Some(Cipher { first: half(0)?, second: half(8) }),
            _ => None,
        }
    }

    pub fn encrypt(&self, block: u64) -> u64 {
        let once = self.first.encrypt(block);
        match &self.second {
            None => once,
            Some(second) => self.first.encrypt(second.decrypt(once)),
        }
    }

    pub fn decrypt(&self, block: u64) -> u64 {
        let once = self.first.decrypt(block);
        match &self.second {
            None => once,
            Some(second) => self.first.decrypt(second.encrypt(once)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_of_des_comes_out() {
        // Validation of the block cipher as NBS SP 500-20 has it, and the classroom example.
        assert_eq!(Des::new(0x0101010101010101).encrypt(0x8000000000000000), 0x95F8A5E5DD31D900);
        assert_eq!(Des::new(0x133457799BBCDFF1).encrypt(0x0123456789ABCDEF), 0x85E813540F0AB405);
        assert_eq!(Des::new(0x133457799BBCDFF1).decrypt(0x85E813540F0AB405), 0x0123456789ABCDEF);
    }

    #[test]
    fn a_sheet_key_block_opens() {
        // The dialect sheet, section 4: TMK, enciphered MAK, MAK.
        let tmk = 0x5430_4AD0_5FC3_5BEA_48F8_35A2_DA4E_6142u128.to_be_bytes();
        let cipher = Cipher::new(&tmk).unwrap();
        assert_eq!(cipher.decrypt(0xA0F1F1B1213B2DE2), 0x575B6B798C761992);
        let mak = Cipher::new(&0x575B6B798C761992u64.to_be_bytes()).unwrap();
        assert_eq!((mak.encrypt(0) >> 32) as u32, 0x81D7E011);
    }
}
