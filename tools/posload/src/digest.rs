//! CRC-32C (RFC 3720, appendix B.4) and SHA-256 (FIPS 180-4), for the auditor.

static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut out = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut value = i as u32;
        let mut bit = 0;
        while bit < 8 {
            value = value >> 1 ^ if value & 1 == 1 { 0x82F6_3B78 } else { 0 };
            bit += 1;
        }
        out[i] = value;
        i += 1;
    }
    out
}

pub fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, &byte| TABLE[((crc ^ u32::from(byte)) & 255) as usize] ^ crc >> 8)
}

const fn is_prime(n: u32) -> bool {
    let mut i = 2;
    while i * i <= n {
        if n % i == 0 {
            return false;
        }
        i += 1;
    }
    true
}

/// The first 32 bits of the fraction of the `root`-th root of a prime, by integers alone.
const fn fraction(prime: u32, root: u32) -> u32 {
    // The largest x with x^root <= prime * 2^(32 root); its low 32 bits. x < 2^(32 + 5).
    let mut x: u64 = 0;
    let mut bit = 37;
    while bit > 0 {
        bit -= 1;
        let more = x | 1 << bit;
        if is_at_most(more, prime, root) {
            x = more;
        }
    }
    x as u32
}

/// Whether x^root <= prime * 2^(32 * root), with x below 2^37.
const fn is_at_most(x: u64, prime: u32, root: u32) -> bool {
    let square = x as u128 * x as u128;
    if root == 2 {
        return square <= (prime as u128) << 64;
    }
    // x^3 in two limbs of 64: square = high * 2^64 + low.
    let low = (square & u64::MAX as u128) * x as u128;
    let high = (square >> 64) * x as u128 + (low >> 64);
    high < (prime as u128) << 32 || (high == (prime as u128) << 32 && low & u64::MAX as u128 == 0)
}

const fn constants<const N: usize>(root: u32) -> [u32; N] {
    let mut out = [0; N];
    let mut prime = 2;
    let mut i = 0;
    while i < N {
        if is_prime(prime) {
            out[i] = fraction(prime, root);
            i += 1;
        }
        prime += 1;
    }
    out
}

static K: [u32; 64] = constants(3);
const START: [u32; 8] = constants(2);

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes(bytes.try_into().unwrap());
    }
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ w[i - 15] >> 3;
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let one = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(K[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d.wrapping_add(one);
        d = c;
        c = b;
        b = a;
        a = one.wrapping_add(two);
    }
    for (sum, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *sum = sum.wrapping_add(value);
    }
}

pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut state = START;
    let blocks = data.chunks_exact(64);
    let rest = blocks.remainder();
    blocks.for_each(|block| compress(&mut state, block));
    let mut last = [0u8; 128];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let size = if rest.len() < 56 { 64 } else { 128 };
    last[size - 8..size].copy_from_slice(&(data.len() as u64 * 8).to_be_bytes());
    last[..size].chunks_exact(64).for_each(|block| compress(&mut state, block));
    let mut out = [0; 32];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: [u8; 32]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_standards_examples_come_out() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA); // RFC 3720, B.4
        assert_eq!((K[0], K[63], START[0], START[7]), (0x428a2f98, 0xc67178f2, 0x6a09e667, 0x5be0cd19));
        assert_eq!(hex(sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let two = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(sha256(two)), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}
