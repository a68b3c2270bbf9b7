//! Words of 256 lanes: one message a bit, for the bitsliced DES.
//!
//! `Wide` is plain Rust that the compiler may vectorise; `Avx2` is one register. Both hold four
//! 64-bit words, so that 256 blocks are the same 64 rows for either.

pub const LANES: usize = 256;
pub const WORDS: usize = 4;

pub trait Lanes: Copy {
    fn zero() -> Self;
    fn load(words: &[u64; WORDS]) -> Self;
    fn store(self, words: &mut [u64; WORDS]);
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `self & !other`
    fn andn(self, other: Self) -> Self;
    fn not(self) -> Self;
    /// Every word shifted left.
    fn shl<const N: i32>(self) -> Self;
    /// Every word shifted right, zeros in front.
    fn shr<const N: i32>(self) -> Self;
    fn of(word: u64) -> Self;
}

#[derive(Clone, Copy)]
pub struct Wide(pub [u64; WORDS]);

macro_rules! each {
    ($i:ident, $e:expr) => {{
        let mut out = [0u64; WORDS];
        let mut $i = 0;
        while $i < WORDS {
            out[$i] = $e;
            $i += 1;
        }
        Wide(out)
    }};
}

impl Lanes for Wide {
    #[inline(always)]
    fn zero() -> Self {
        Wide([0; WORDS])
    }
    #[inline(always)]
    fn load(words: &[u64; WORDS]) -> Self {
        Wide(*words)
    }
    #[inline(always)]
    fn store(self, words: &mut [u64; WORDS]) {
        *words = self.0;
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        each!(i, self.0[i] & other.0[i])
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        each!(i, self.0[i] | other.0[i])
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        each!(i, self.0[i] ^ other.0[i])
    }
    #[inline(always)]
    fn andn(self, other: Self) -> Self {
        each!(i, self.0[i] & !other.0[i])
    }
    #[inline(always)]
    fn not(self) -> Self {
        each!(i, !self.0[i])
    }
    #[inline(always)]
    fn shl<const N: i32>(self) -> Self {
        each!(i, self.0[i] << N)
    }
    #[inline(always)]
    fn shr<const N: i32>(self) -> Self {
        each!(i, self.0[i] >> N)
    }
    #[inline(always)]
    fn of(word: u64) -> Self {
        Wide([word; WORDS])
    }
}

#[cfg(target_arch = "x86_64")]
pub mod avx2 {
    use super::{Lanes, WORDS};
    use core::arch::x86_64::*;

    /// Only for functions that run behind `is_x86_feature_detected!("avx2")`.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256i);

    // SAFETY of every block: the one caller of this type is a function with target feature avx2,
    // reached only where the processor has it; loads and stores are unaligned ones.
    impl Lanes for Avx2 {
        #[inline(always)]
        fn zero() -> Self {
            unsafe { Avx2(_mm256_setzero_si256()) }
        }
        #[inline(always)]
        fn load(words: &[u64; WORDS]) -> Self {
            unsafe { Avx2(_mm256_loadu_si256(words.as_ptr() as *const __m256i)) }
        }
        #[inline(always)]
        fn store(self, words: &mut [u64; WORDS]) {
            unsafe { _mm256_storeu_si256(words.as_mut_ptr() as *mut __m256i, self.0) }
        }
        #[inline(always)]
        fn and(self, other: Self) -> Self {
            unsafe { Avx2(_mm256_and_si256(self.0, other.0)) }
        }
        #[inline(always)]
        fn or(self, other: Self) -> Self {
            unsafe { Avx2(_mm256_or_si256(self.0, other.0)) }
        }
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            unsafe { Avx2(_mm256_xor_si256(self.0, other.0)) }
        }
        #[inline(always)]
        fn andn(self, other: Self) -> Self {
            unsafe { Avx2(_mm256_andnot_si256(other.0, self.0)) }
        }
        #[inline(always)]
        fn not(self) -> Self {
            unsafe { Avx2(_mm256_xor_si256(self.0, _mm256_set1_epi64x(-1))) }
        }
        #[inline(always)]
        fn shl<const N: i32>(self) -> Self {
            unsafe { Avx2(_mm256_slli_epi64::<N>(self.0)) }
        }
        #[inline(always)]
        fn shr<const N: i32>(self) -> Self {
            unsafe { Avx2(_mm256_srli_epi64::<N>(self.0)) }
        }
        #[inline(always)]
        fn of(word: u64) -> Self {
            unsafe { Avx2(_mm256_set1_epi64x(word as i64)) }
        }
    }
}

/// 64 rows of 64 bits, four times side by side, transposed in place: what was bit `c` (from the most
/// significant) of row `r` becomes bit `r` of row `c`. Its own inverse.
#[inline(always)]
pub fn transpose<L: Lanes>(rows: &mut [L; 64]) {
    stage::<L, 32>(rows, 0x0000_0000_FFFF_FFFF);
    stage::<L, 16>(rows, 0x0000_FFFF_0000_FFFF);
    stage::<L, 8>(rows, 0x00FF_00FF_00FF_00FF);
    stage::<L, 4>(rows, 0x0F0F_0F0F_0F0F_0F0F);
    stage::<L, 2>(rows, 0x3333_3333_3333_3333);
    stage::<L, 1>(rows, 0x5555_5555_5555_5555);
}

#[inline(always)]
fn stage<L: Lanes, const J: i32>(rows: &mut [L; 64], low: u64) {
    let mask = L::of(low);
    let j = J as usize;
    let mut base = 0;
    while base < 64 {
        for k in base..base + j {
            // The low half of row k trades places with the high half of row k + j.
            let t = rows[k].xor(rows[k + j].shr::<J>()).and(mask);
            rows[k] = rows[k].xor(t);
            rows[k + j] = rows[k + j].xor(t.shl::<J>());
        }
        base += 2 * j;
    }
}
