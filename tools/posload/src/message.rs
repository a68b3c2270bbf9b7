//! The requests of a terminal as templates: built once by the codec, then copied and patched.

use crate::codec::{bcd_of, Fields, Packer, BODY};
use crate::plan::Plan;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Sale,
    Void,
    Refund,
    Balance,
    Reversal,
    Repeat,
    SignOn,
    Settle,
    UploadEnd,
}

pub const KINDS: usize = 9;
pub const KIND_NAMES: [&str; KINDS] = [
    "sale", "void", "refund", "balance", "reversal", "repeat", "sign-on", "settle", "upload-end",
];

impl Kind {
    pub fn is_signed(self) -> bool {
        !matches!(self, Kind::SignOn | Kind::Settle | Kind::UploadEnd)
    }

    /// Whether it is a cardholder's business rather than the terminal's own.
    pub fn is_trade(self) -> bool {
        matches!(self, Kind::Sale | Kind::Void | Kind::Refund | Kind::Balance | Kind::Reversal)
    }

    /// Whether its answer names field 4, which must be the request's.
    pub fn has_amount(self) -> bool {
        matches!(self, Kind::Sale | Kind::Void | Kind::Refund | Kind::Reversal | Kind::Repeat)
    }
}

/// A transaction that later ones refer to.
#[derive(Clone, Copy, Default)]
pub struct Original {
    pub stan: u32,
    pub card: u32,
    pub amount: u64,
    pub rrn: [u8; 12],
    pub auth: [u8; 6],
    pub date: [u8; 2],
}

/// What differs from one request to the next.
pub struct Values<'a> {
    pub tid: &'a [u8; 8],
    pub mid: &'a [u8; 15],
    pub batch: [u8; 3],
    pub stan: [u8; 3],
    pub card: [u8; 8],
    pub amount: u64,
    pub original: Original,
}

pub struct Template {
    bytes: Vec<u8>,
    places: [usize; PLACES],
}

const PLACES: usize = 13;
const CARD: usize = 0;
const TRACK: usize = 1;
const AMOUNT: usize = 2;
const STAN: usize = 3;
const TID: usize = 4;
const MID: usize = 5;
const BATCH: usize = 6;
const RRN: usize = 7;
const AUTH: usize = 8;
const OLD_BATCH: usize = 9;
const OLD_STAN: usize = 10;
const OLD_DATE: usize = 11;
const MAC: usize = 12;

impl Template {
    fn new(frame: Vec<u8>) -> Template {
        let mut places = [0; PLACES];
        let fields = Fields::walk(&frame[BODY..]).expect("a template is of its dialect");
        let place = |number: usize, more: usize| fields.place(number).map_or(0, |at| BODY + at + more);
        for (index, number, more) in [
            (CARD, 2, 0), (TRACK, 35, 0), (AMOUNT, 4, 0), (STAN, 11, 0), (TID, 41, 0), (MID, 42, 0),
            (BATCH, 60, 1), (RRN, 37, 0), (AUTH, 38, 0), (OLD_BATCH, 61, 0), (OLD_STAN, 61, 3),
            (MAC, 64, 0),
        ] {
            places[index] = place(number, more);
        }
        if fields.get(61).map_or(0, <[u8]>::len) >= 8 {
            places[OLD_DATE] = place(61, 6);
        }
        Template { bytes: frame, places }
    }

    /// Appends the request; field 64 is still to be filled.
    #[inline]
    pub fn fill(&self, out: &mut Vec<u8>, values: &Values) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let frame = &mut out[start..];
        let mut patch = |index: usize, bytes: &[u8]| {
            let at = self.places[index];
            if at != 0 {
                frame[at..at + bytes.len()].copy_from_slice(bytes);
            }
        };
        patch(TID, values.tid);
        patch(MID, values.mid);
        patch(STAN, &values.stan);
        patch(BATCH, &values.batch);
        patch(CARD, &values.card);
        patch(TRACK, &values.card);
        patch(AMOUNT, &bcd_of::<6>(values.amount));
        if self.places[OLD_BATCH] != 0 {
            patch(RRN, &values.original.rrn);
            patch(AUTH, &values.original.auth);
            patch(OLD_BATCH, &values.batch);
            patch(OLD_STAN, &bcd_of::<3>(u64::from(values.original.stan)));
            patch(OLD_DATE, &values.original.date);
        }
    }
}

pub struct Templates {
    pub all: Vec<Template>,
}

const CARD_DIGITS: &[u8] = b"6225000000000014";
const TRACK_DIGITS: &[u8] = b"6225000000000014=30121010000000000000";
// Tags of a captured request, with made values: cryptogram, issuer data, counter, results, amount.
const CHIP: &[u8] = &[
    0x9F, 0x26, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x9F, 0x27, 1, 0x80, 0x9F, 0x10, 8, 7, 1, 1, 3, 0xA0, 0, 0, 1,
    0x9F, 0x37, 4, 0x11, 0x22, 0x33, 0x44, 0x9F, 0x36, 2, 3, 0x1E, 0x95, 5, 0, 0, 0, 0, 0, 0x9A, 3, 0x26,
    0x11, 0x21, 0x9C, 1, 0, 0x9F, 0x02, 6, 0, 0, 0, 0, 1, 0, 0x5F, 0x2A, 2, 1, 0x56, 0x82, 2, 0x7C, 0,
    0x9F, 0x1A, 2, 1, 0x56, 0x9F, 0x03, 6, 0, 0, 0, 0, 0, 0, 0x9F, 0x33, 3, 0xE0, 0xE1, 0xC8,
];
const CHIP_UNDONE: &[u8] = &[0x95, 5, 0, 0, 0, 0, 0, 0x9F, 0x36, 2, 3, 0x1E];

impl Templates {
    pub fn new(plan: &Plan) -> Templates {
        let make = Maker { plan, is_chip: plan.form == "chip" };
        let sale = || make.card(0x0200, b"000000", true, None, false);
        let all = vec![
            make.end(sale(), "22", None),
            make.end(make.card(0x0200, b"200000", true, None, true), "23", Some(12)),
            make.refund(),
            make.end(make.card(0x0200, b"310000", false, None, false), "01", None),
            make.end(make.card(0x0400, b"000000", true, Some(b"98"), false), "22", None),
            make.end(sale(), "22", None), // a repeat is a sale's own bytes; never filled
            make.sign_on(),
            make.settle([0; 4]),
            make.upload_end(),
        ];
        Templates { all }
    }

    pub fn of(&self, kind: Kind) -> &Template {
        &self.all[kind as usize]
    }
}

struct Maker<'a> {
    plan: &'a Plan,
    is_chip: bool,
}

impl Maker<'_> {
    fn frame(&self, packer: Packer) -> Template {
        Template::new(packer.frame(&self.plan.tpdu, &self.plan.header))
    }

    /// Fields 2 to 49 of what a card does.
    fn card(&self, mti: u16, code: &[u8], has_amount: bool, reason: Option<&[u8]>, names: bool) -> Packer {
        let is_reversal = mti == 0x0400;
        let mut packer = Packer::new(mti).put(2, CARD_DIGITS).put(3, code);
        if has_amount {
            packer = packer.put(4, b"000000000000");
        }
        packer = packer.put(11, b"000000").put(14, b"3012");
        packer = packer.put(22, if self.is_chip { b"052" } else { b"012" });
        if self.is_chip {
            packer = packer.put(23, b"001");
        }
        packer = packer.put(25, b"00");
        if self.is_chip && !is_reversal {
            packer = packer.put(35, TRACK_DIGITS);
        }
        if names {
            packer = packer.put(37, &[b' '; 12]).put(38, &[b' '; 6]);
        }
        if let Some(reason) = reason {
            packer = packer.put(39, reason);
        }
        packer = packer.put(41, &[b' '; 8]).put(42, &[b' '; 15]).put(49, b"156");
        if self.is_chip {
            packer = packer.put(55, if is_reversal { CHIP_UNDONE } else { CHIP });
        }
        packer
    }

    /// Fields 60, 61, 64.
    fn end(&self, packer: Packer, kind: &str, original: Option<usize>) -> Template {
        let reader = if self.is_chip { "50" } else { "60" };
        let mut packer = packer.put(60, format!("{kind}000000000{reader}").as_bytes());
        if let Some(digits) = original {
            packer = packer.put(61, &b"0000000000000000"[..digits]);
        }
        self.frame(packer.put(64, &[0; 8]))
    }

    fn refund(&self) -> Template {
        let reader = if self.is_chip { "50" } else { "60" };
        let mut packer = Packer::new(0x0220).put(2, CARD_DIGITS).put(3, b"200000")
            .put(4, b"000000000000").put(11, b"000000").put(14, b"3012")
            .put(22, if self.is_chip { b"052" } else { b"012" });
        if self.is_chip {
            packer = packer.put(23, b"001");
        }
        packer = packer.put(25, b"00");
        if self.is_chip {
            packer = packer.put(35, TRACK_DIGITS);
        }
        packer = packer.put(37, &[b' '; 12]).put(41, &[b' '; 8]).put(42, &[b' '; 15]).put(49, b"156");
        if self.is_chip {
            packer = packer.put(55, CHIP);
        }
        self.frame(
            packer.put(60, format!("25000000000{reader}").as_bytes())
                .put(61, b"0000000000000000").put(63, b"000").put(64, &[0; 8]),
        )
    }

    fn plain(&self, mti: u16) -> Packer {
        Packer::new(mti).put(11, b"000000").put(41, &[b' '; 8]).put(42, &[b' '; 15])
    }

    fn sign_on(&self) -> Template {
        let code = format!("00000000{}", self.plan.sign_on);
        self.frame(
            self.plain(0x0800).put(60, code.as_bytes()).put(62, b"Sequence No163050SXX-4C30419")
                .put(63, b"01 "),
        )
    }

    fn settle(&self, totals: [u64; 4]) -> Template {
        self.frame(
            self.plain(0x0500).put(48, totals_text(totals).as_bytes()).put(49, b"156")
                .put(60, b"00000000201").put(63, b"01 "),
        )
    }

    fn upload_end(&self) -> Template {
        self.frame(self.plain(0x0320).put(48, b"0000").put(60, b"00000000202"))
    }
}

/// Field 48 of a settlement: domestic debit, count, credit, count, digit; nothing foreign.
pub fn totals_text([debit, debits, credit, credits]: [u64; 4]) -> String {
    format!("{:012}{:03}{:012}{:03}0{:031}", debit, debits % 1000, credit, credits % 1000, 0)
}

/// A settlement with its totals, which a patch cannot do.
pub fn settle_of(plan: &Plan, totals: [u64; 4]) -> Template {
    Maker { plan, is_chip: false }.settle(totals)
}

/// Made account numbers: a test prefix, nine digits, a right check digit.
pub fn cards(count: u64) -> Vec<[u8; 8]> {
    (0..count.max(1))
        .map(|index| {
            let front = format!("622500{index:09}");
            let sum: u32 = front.bytes().rev().enumerate().map(|(place, c)| {
                let digit = u32::from(c - b'0') * if place % 2 == 0 { 2 } else { 1 };
                digit / 10 + digit % 10
            }).sum();
            let whole = format!("{front}{}", (10 - sum % 10) % 10);
            crate::codec::bcd(whole.as_bytes()).try_into().unwrap()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_cards_have_the_check_digit_of_the_known_one() {
        assert_eq!(cards(2)[1], [0x62, 0x25, 0, 0, 0, 0, 0, 0x14]);
    }

    #[test]
    fn totals_are_62_digits() {
        assert_eq!(totals_text([12345, 1, 0, 0]), format!("0000000123450010000000000000000{:031}", 0));
    }
}
