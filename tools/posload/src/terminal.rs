//! One terminal: its keys, its numbers, its batch and what it believes of it.

use crate::codec::{bcd_of, number_of, Fields};
use crate::des::Cipher;
use crate::mac::{Algorithm, MacKey};
use crate::message::Original;
use crate::plan::Known;
use crate::sm4::Sm4;

pub const ORIGINALS_MAX: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    SigningOn,
    Ready,
    /// The batch is full: nothing new until what is under way has come back.
    Closing,
    Settling,
    Dead,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Totals {
    pub debit: u64,
    pub debits: u64,
    pub credit: u64,
    pub credits: u64,
}

impl Totals {
    pub fn list(&self) -> [u64; 4] {
        [self.debit, self.debits, self.credit, self.credits]
    }

    fn add(&mut self, other: &Totals) {
        self.debit += other.debit;
        self.debits += other.debits;
        self.credit += other.credit;
        self.credits += other.credits;
    }
}

pub struct Terminal {
    pub tid: [u8; 8],
    pub mid: [u8; 15],
    pub batch: [u8; 3],
    pub phase: Phase,
    pub has_cleared: bool,
    pub in_flight: u32,
    pub stan: u32,
    pub postings: u32,
    /// Places in its link's queue that wait for the batch to open again.
    pub parked: u32,
    pub link: usize,
    pub totals: Totals,
    pub whole: Totals,
    pub approved: u64,
    originals: [Original; ORIGINALS_MAX],
    kept: usize,
}

impl Terminal {
    pub fn new(known: &Known, batch: u64, stan_first: u32, link: usize) -> Terminal {
        Terminal {
            tid: known.tid,
            mid: known.mid,
            batch: bcd_of::<3>(batch),
            phase: Phase::SigningOn,
            has_cleared: false,
            in_flight: 0,
            stan: (stan_first + 999_998) % 999_999,
            postings: 0,
            parked: 0,
            link,
            totals: Totals::default(),
            whole: Totals::default(),
            approved: 0,
            originals: [Original::default(); ORIGINALS_MAX],
            kept: 0,
        }
    }

    pub fn next_stan(&mut self) -> u32 {
        self.stan = self.stan % 999_999 + 1;
        self.stan
    }

    /// A sale that may be voided, refunded or reversed; the oldest goes when there are many.
    pub fn keep(&mut self, original: Original) {
        if self.kept == ORIGINALS_MAX {
            self.originals.copy_within(1.., 0);
            self.kept -= 1;
        }
        self.originals[self.kept] = original;
        self.kept += 1;
    }

    pub fn take_original(&mut self) -> Option<Original> {
        self.kept = self.kept.checked_sub(1)?;
        Some(self.originals[self.kept])
    }

    /// The batch is closed: its totals go into the whole.
    pub fn close_batch(&mut self) {
        let totals = self.totals;
        self.whole.add(&totals);
        self.totals = Totals::default();
        self.postings = 0;
        self.kept = 0;
    }

    pub fn sum(&self) -> Totals {
        let mut all = self.whole;
        all.add(&self.totals);
        all
    }

    /// The MAC key out of a sign-on answer (fields 60 and 62), its check values proved.
    pub fn take_keys(
        &mut self, fields: &Fields, code: &str, tmk: &[u8], algorithm: Algorithm,
    ) -> Result<MacKey, &'static str> {
        let block = fields.get(62).ok_or("sign-on without keys")?;
        let (pik_size, mak_at, mak_size, whole) = match code {
            "001" => (8, 12, 8, 24),
            "003" => (16, 20, 8, 40),
            "004" => (16, 20, 8, 60),
            "005" => (16, 20, 16, 40),
            _ => (16, 20, 16, 60),
        };
        if block.len() != whole {
            return Err("key block of another size");
        }
        let is_sm4 = code == "005" || code == "006";
        let mak_end = if code == "001" { 20 } else { 36 };
        if !is_sm4 && block[mak_at + mak_size..mak_end].iter().any(|&byte| byte != 0) {
            return Err("key block's filler is not zero");
        }
        for (at, size, kcv_at) in [(0, pik_size, pik_size), (mak_at, mak_size, mak_end)] {
            let key = opened(tmk, &block[at..at + size], is_sm4).ok_or("TMK of another size")?;
            if check_value(&key, is_sm4) != block[kcv_at..kcv_at + 4] {
                return Err("check value");
            }
        }
        let mak = opened(tmk, &block[mak_at..mak_at + mak_size], is_sm4).ok_or("TMK of another size")?;
        let batch = fields.get(60).filter(|value| value.len() >= 4).ok_or("sign-on without batch")?;
        number_of(&batch[1..4]).ok_or("batch is no number")?;
        self.batch.copy_from_slice(&batch[1..4]);
        MacKey::new(algorithm, &mak).ok_or("MAC key of another size")
    }
}

fn opened(tmk: &[u8], sealed: &[u8], is_sm4: bool) -> Option<Vec<u8>> {
    if is_sm4 {
        let sm4 = Sm4::new(tmk.try_into().ok()?);
        let block = u128::from_be_bytes(sealed.try_into().ok()?);
        return Some(sm4.decrypt(block).to_be_bytes().to_vec());
    }
    let cipher = Cipher::new(tmk)?;
    Some(
        sealed
            .chunks_exact(8)
            .flat_map(|block| cipher.decrypt(u64::from_be_bytes(block.try_into().unwrap())).to_be_bytes())
            .collect(),
    )
}

fn check_value(key: &[u8], is_sm4: bool) -> [u8; 4] {
    let block = if is_sm4 {
        key.try_into().map_or(0, |key| (Sm4::new(key).encrypt(0) >> 64) as u64)
    } else {
        Cipher::new(key).map_or(0, |cipher| cipher.encrypt(0))
    };
    ((block >> 32) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Packer, BODY};
    use crate::mac::one;
    use crate::plan::bytes_of;

    // The key block of the dialect sheet, section 4, with the keys that it names.
    const BLOCK: &str = "CDF4F5FDFC4FB62E3533A16D1555B7DD342571BFA0F1F1B1213B2DE2000000000000000081D7E011";

    #[test]
    fn a_sheet_key_block_gives_its_mak_and_a_changed_one_none() {
        let tmk = bytes_of("54304AD05FC35BEA48F835A2DA4E6142").unwrap();
        let known = Known { tid: *b"58402001", mid: *b"302440380621100", tmk: tmk.clone() };
        let mut terminal = Terminal::new(&known, 1, 1, 0);
        let block = bytes_of(BLOCK).unwrap();
        for at in 0..=block.len() {
            let mut changed = block.clone();
            if at < block.len() {
                changed[at] ^= 1;
            }
            let frame = Packer::new(0x0810).put(60, b"00000007003").put(62, &changed).frame(&[0; 5], &[0; 6]);
            let fields = Fields::walk(&frame[BODY..]).unwrap();
            let taken = terminal.take_keys(&fields, "003", &tmk, Algorithm::UnionpayEcb);
            assert_eq!(taken.is_ok(), at == block.len(), "{at}");
            if let Ok(key) = taken {
                assert_eq!(one(Algorithm::UnionpayEcb, false, &key, b"0123456789ABC").to_be_bytes(), *b"3B6AB0B8");
                assert_eq!(terminal.batch, [0, 0, 7]);
            }
        }
    }

    #[test]
    fn stans_wrap_to_one() {
        let known = Known { tid: [b'1'; 8], mid: [b'2'; 15], tmk: vec![] };
        let mut terminal = Terminal::new(&known, 1, 999_999, 0);
        assert_eq!([terminal.next_stan(), terminal.next_stan()], [999_999, 1]);
        assert_eq!(Terminal::new(&known, 1, 1, 0).next_stan(), 1);
    }
}
