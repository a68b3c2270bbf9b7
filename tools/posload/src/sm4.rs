//! SM4 (GB/T 32907-2016), one block at a time, and the "ECB" MAC with its blocks of 16.
//!
//! The S-box is worked out rather than copied: an affine map, the inverse in GF(2^8) modulo
//! x^8+x^7+x^6+x^5+x^4+x^2+1, the affine map again; the standard's example proves it.

const SBOX: [u8; 256] = sbox();
const FK: [u32; 4] = [0xA3B1_BAC6, 0x56AA_3350, 0x677D_9197, 0xB270_22DC];

const fn times(mut a: u16, mut b: u8) -> u8 {
    let mut sum = 0;
    while b != 0 {
        if b & 1 == 1 {
            sum ^= a;
        }
        a <<= 1;
        if a & 0x100 != 0 {
            a ^= 0x1F5;
        }
        b >>= 1;
    }
    sum as u8
}

/// a^254: the inverse, and 0 of 0.
const fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut result = 1;
    let mut i = 0;
    while i < 7 {
        power = times(power as u16, power);
        result = times(result as u16, power);
        i += 1;
    }
    result
}

/// The circulant matrix whose row for output bit i is 0xA7 turned left by i, then 0xD3 added.
const fn affine(x: u8) -> u8 {
    let mut out = 0;
    let mut i = 0;
    while i < 8 {
        out |= ((0xA7u8.rotate_left(i) & x).count_ones() as u8 & 1) << i;
        i += 1;
    }
    out ^ 0xD3
}

const fn sbox() -> [u8; 256] {
    let mut out = [0; 256];
    let mut x = 0;
    while x < 256 {
        out[x] = affine(inverse(affine(x as u8)));
        x += 1;
    }
    out
}

fn tau(x: u32) -> u32 {
    u32::from_be_bytes(x.to_be_bytes().map(|byte| SBOX[byte as usize]))
}

fn mix(x: u32) -> u32 {
    let b = tau(x);
    b ^ b.rotate_left(2) ^ b.rotate_left(10) ^ b.rotate_left(18) ^ b.rotate_left(24)
}

fn mix_key(x: u32) -> u32 {
    let b = tau(x);
    b ^ b.rotate_left(13) ^ b.rotate_left(23)
}

fn words(block: u128) -> [u32; 4] {
    [(block >> 96) as u32, (block >> 64) as u32, (block >> 32) as u32, block as u32]
}

#[derive(Clone)]
pub struct Sm4 {
    rounds: [u32; 32],
}

impl Sm4 {
    pub fn new(key: [u8; 16]) -> Sm4 {
        let mut k = words(u128::from_be_bytes(key));
        for (word, fixed) in k.iter_mut().zip(FK) {
            *word ^= fixed;
        }
        let mut rounds = [0; 32];
        for (i, round) in rounds.iter_mut().enumerate() {
            let ck = u32::from_be_bytes([0, 1, 2, 3].map(|j| ((4 * i + j) * 7) as u8));
            *round = k[0] ^ mix_key(k[1] ^ k[2] ^ k[3] ^ ck);
            k = [k[1], k[2], k[3], *round];
        }
        Sm4 { rounds }
    }

    fn run<'a>(block: u128, rounds: impl Iterator<Item = &'a u32>) -> u128 {
        let mut x = words(block);
        for round in rounds {
            let next = x[0] ^ mix(x[1] ^ x[2] ^ x[3] ^ round);
            x = [x[1], x[2], x[3], next];
        }
        x.iter().rev().fold(0, |sum, &word| sum << 32 | u128::from(word))
    }

    pub fn encrypt(&self, block: u128) -> u128 {
        Self::run(block, self.rounds.iter())
    }

    pub fn decrypt(&self, block: u128) -> u128 {
        Self::run(block, self.rounds.iter().rev())
    }

    /// The first 8 bytes of the "ECB" MAC, before they become hex.
    pub fn unionpay(&self, covered: &[u8]) -> u64 {
        let mut folded = 0u128;
        for chunk in covered.chunks(16) {
            let mut block = [0u8; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            folded ^= u128::from_be_bytes(block);
        }
        let text = |half: u64| {
            u128::from(crate::mac::hex((half >> 32) as u32)) << 64 | u128::from(crate::mac::hex(half as u32))
        };
        let first = self.encrypt(text((folded >> 64) as u64));
        (self.encrypt(first ^ text(folded as u64)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_example_comes_out() {
        let key = 0x0123456789ABCDEFFEDCBA9876543210u128;
        let sm4 = Sm4::new(key.to_be_bytes());
        assert_eq!(sm4.encrypt(key), 0x681EDF34D206965E86B3E94F536E4246);
        assert_eq!(sm4.decrypt(0x681EDF34D206965E86B3E94F536E4246), key);
        assert_eq!(SBOX[..4], [0xD6, 0x90, 0xE9, 0xFE]);
    }
}
