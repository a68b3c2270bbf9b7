//! DES of 256 blocks at once, each under its own key: one message a bit of every word.
//!
//! The wires of FIPS 46-3 (IP, E, P, PC-1, PC-2) are indices and cost nothing; the S-boxes are the
//! gates of `circuits.rs`. Blocks go in and out as rows of 64 bits, so a batch costs three
//! transpositions and 16 rounds.

use crate::circuits::{s1, s2, s3, s4, s5, s6, s7, s8};
use crate::des::KEY_BITS;
#[cfg(target_arch = "x86_64")]
use crate::lanes::avx2::Avx2;
use crate::lanes::{transpose, Lanes, Wide, LANES, WORDS};
use crate::tables::{E, IP, P};

/// Where output bit `i` (from 0) of the S-boxes goes in the half.
const TO: [u8; 32] = targets();

const fn targets() -> [u8; 32] {
    let mut out = [0; 32];
    let mut i = 0;
    while i < 32 {
        out[P[i] as usize - 1] = i as u8;
        i += 1;
    }
    out
}

/// 256 values as planes: plane `b` holds bit `b` of each, the most significant first.
type Planes<L> = [L; 64];
pub type Batch = [u64; LANES];

#[inline(always)]
fn planes_of<L: Lanes>(batch: &Batch) -> Planes<L> {
    let mut rows = [L::zero(); 64];
    for (row, words) in rows.iter_mut().zip(batch.chunks_exact(WORDS)) {
        *row = L::load(words.try_into().unwrap());
    }
    transpose(&mut rows);
    rows
}

#[inline(always)]
fn batch_of<L: Lanes>(mut planes: Planes<L>, batch: &mut Batch) {
    transpose(&mut planes);
    for (row, words) in planes.iter().zip(batch.chunks_exact_mut(WORDS)) {
        row.store(words.try_into().unwrap());
    }
}

macro_rules! box_of {
    ($s:ident, $n:expr, $right:ident, $left:ident, $key:ident, $bits:ident) => {
        let mut x = [L::zero(); 6];
        let mut i = 0;
        while i < 6 {
            x[i] = $right[E[6 * $n + i] as usize - 1].xor($key[($bits[6 * $n + i] & 63) as usize]);
            i += 1;
        }
        let y = $s(x);
        let mut i = 0;
        while i < 4 {
            let to = TO[4 * $n + i] as usize;
            $left[to] = $left[to].xor(y[i]);
            i += 1;
        }
    };
}

#[inline(always)]
fn round<L: Lanes>(left: &mut [L; 32], right: &[L; 32], key: &Planes<L>, bits: &[u8; 48]) {
    box_of!(s1, 0, right, left, key, bits);
    box_of!(s2, 1, right, left, key, bits);
    box_of!(s3, 2, right, left, key, bits);
    box_of!(s4, 3, right, left, key, bits);
    box_of!(s5, 4, right, left, key, bits);
    box_of!(s6, 5, right, left, key, bits);
    box_of!(s7, 6, right, left, key, bits);
    box_of!(s8, 7, right, left, key, bits);
}

#[inline(always)]
fn des<L: Lanes>(block: &mut Planes<L>, key: &Planes<L>, decrypts: bool) {
    let mut left = [L::zero(); 32];
    let mut right = [L::zero(); 32];
    for i in 0..32 {
        left[i] = block[IP[i] as usize - 1];
        right[i] = block[IP[32 + i] as usize - 1];
    }
    for pair in 0..8 {
        let (one, two) =
            if decrypts { (15 - 2 * pair, 14 - 2 * pair) } else { (2 * pair, 2 * pair + 1) };
        round(&mut left, &right, key, &KEY_BITS[one]);
        round(&mut right, &left, key, &KEY_BITS[two]);
    }
    // After the last round the halves are not exchanged: the right one goes first.
    for i in 0..32 {
        block[IP[i] as usize - 1] = right[i];
        block[IP[32 + i] as usize - 1] = left[i];
    }
}

type DesOf<L> = unsafe fn(&mut Planes<L>, &Planes<L>, bool);

#[inline(never)]
unsafe fn des_wide(block: &mut Planes<Wide>, key: &Planes<Wide>, decrypts: bool) {
    des(block, key, decrypts)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline(never)]
unsafe fn des_avx2(block: &mut Planes<Avx2>, key: &Planes<Avx2>, decrypts: bool) {
    des(block, key, decrypts)
}

/// What is done to each of the 256: as `mac.rs` asks for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// E(E(a) ^ b)
    Twice,
    /// E(a)
    Encrypt,
    /// D(a)
    Decrypt,
}

#[inline(always)]
unsafe fn run<L: Lanes>(
    des: DesOf<L>, task: Task, a: &mut Batch, b: &Batch, first: &Batch, second: Option<&Batch>,
) {
    let first = planes_of::<L>(first);
    let second = second.map(|keys| planes_of::<L>(keys));
    let mut block = planes_of::<L>(a);
    let more = planes_of::<L>(b);
    let passes = if task == Task::Twice { 2 } else { 1 };
    let turned = task == Task::Decrypt;
    for pass in 0..passes {
        if pass == 1 {
            for (one, two) in block.iter_mut().zip(more.iter()) {
                *one = one.xor(*two);
            }
        }
        des(&mut block, &first, turned);
        if let Some(second) = &second {
            des(&mut block, second, !turned);
            des(&mut block, &first, turned);
        }
    }
    batch_of(block, a);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn run_avx2(task: Task, a: &mut Batch, b: &Batch, first: &Batch, second: Option<&Batch>) {
    run::<Avx2>(des_avx2, task, a, b, first, second);
}

/// `a` becomes what the task makes of it, lane by lane, under `first` (DES) or both (3DES).
pub fn work(task: Task, a: &mut Batch, b: &Batch, first: &Batch, second: Option<&Batch>) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function needs.
        return unsafe { run_avx2(task, a, b, first, second) };
    }
    work_portable(task, a, b, first, second);
}

/// The same without what the processor may have.
pub fn work_portable(task: Task, a: &mut Batch, b: &Batch, first: &Batch, second: Option<&Batch>) {
    // SAFETY: the plain lanes need nothing of the processor.
    unsafe { run::<Wide>(des_wide, task, a, b, first, second) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuits;
    use crate::des::Cipher;
    use crate::dice::Dice;
    use crate::tables::sbox;

    #[test]
    fn every_circuit_is_its_table() {
        type Circuit = fn([Wide; 6]) -> [Wide; 4];
        let all: [Circuit; 8] = [
            circuits::s1, circuits::s2, circuits::s3, circuits::s4, circuits::s5, circuits::s6,
            circuits::s7, circuits::s8,
        ];
        for (number, circuit) in all.iter().enumerate() {
            let mut x = [Wide([0; WORDS]); 6];
            for input in 0..64u64 {
                for (bit, plane) in x.iter_mut().enumerate() {
                    plane.0[0] |= (input >> (5 - bit) & 1) << input;
                }
            }
            let y = circuit(x);
            for input in 0..64u8 {
                let value = (0..4).fold(0, |sum, i| sum << 1 | (y[i].0[0] >> input & 1) as u8);
                assert_eq!(value, sbox(number, input), "S{} of {}", number + 1, input);
            }
        }
    }

    #[test]
    fn every_lane_is_the_scalar_cipher() {
        let mut dice = Dice::new(7);
        for task in [Task::Twice, Task::Encrypt, Task::Decrypt] {
            for double in [false, true] {
                let mut one: [Batch; 4] = [[0; LANES]; 4];
                one.iter_mut().flatten().for_each(|value| *value = dice.next());
                let [a, b, first, second] = one;
                let keys = if double { Some(&second) } else { None };
                let (mut fast, mut plain) = (a, a);
                work(task, &mut fast, &b, &first, keys);
                work_portable(task, &mut plain, &b, &first, keys);
                for lane in 0..LANES {
                    let mut key = first[lane].to_be_bytes().to_vec();
                    if double {
                        key.extend(second[lane].to_be_bytes());
                    }
                    let cipher = Cipher::new(&key).unwrap();
                    let want = match task {
                        Task::Twice => cipher.encrypt(cipher.encrypt(a[lane]) ^ b[lane]),
                        Task::Encrypt => cipher.encrypt(a[lane]),
                        Task::Decrypt => cipher.decrypt(a[lane]),
                    };
                    assert_eq!(fast[lane], want);
                    assert_eq!(plain[lane], want);
                }
            }
        }
    }
}
