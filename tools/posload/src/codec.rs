//! The terminal dialect's fields on the wire: packing, and walking over what came.
//!
//!     length 2 | TPDU 5 | header 6 | MTI 2 | bitmap 8 | fields 2..64 ascending
//!
//! LL is one BCD byte, LLL two; for digits it counts digits, for bytes bytes. Fixed digits of odd
//! count are right aligned, but field 22; variable digits are left aligned.

pub const BODY: usize = 13;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Absent,
    /// Fixed digits, right aligned.
    Digits(u8),
    /// Fixed digits, left aligned.
    Left(u8),
    /// Fixed bytes.
    Bytes(u8),
    /// Digits behind a prefix of so many BCD bytes; at most so many.
    VarDigits(u8, u16),
    /// Bytes behind a prefix of so many BCD bytes; at most so many.
    VarBytes(u8, u16),
}

use Form::{Absent, Bytes, Digits, Left, VarBytes, VarDigits};

pub const FORMS: [Form; 65] = forms();

const fn forms() -> [Form; 65] {
    let mut f = [Absent; 65];
    f[2] = VarDigits(1, 19);
    f[3] = Digits(6);
    f[4] = Digits(12);
    f[11] = Digits(6);
    f[12] = Digits(6);
    f[13] = Digits(4);
    f[14] = Digits(4);
    f[15] = Digits(4);
    f[22] = Left(3);
    f[23] = Digits(3);
    f[25] = Digits(2);
    f[26] = Digits(2);
    f[32] = VarDigits(1, 11);
    f[35] = VarDigits(1, 37);
    f[36] = VarDigits(2, 104);
    f[37] = Bytes(12);
    f[38] = Bytes(6);
    f[39] = Bytes(2);
    f[41] = Bytes(8);
    f[42] = Bytes(15);
    f[44] = VarBytes(1, 25);
    f[47] = VarBytes(2, 999);
    f[48] = VarDigits(2, 322);
    f[49] = Bytes(3);
    f[52] = Bytes(8);
    f[53] = Digits(16);
    f[54] = VarBytes(2, 20);
    f[55] = VarBytes(2, 999);
    f[56] = VarBytes(2, 999);
    f[57] = VarBytes(2, 999);
    f[58] = VarBytes(2, 100);
    f[59] = VarBytes(2, 999);
    f[60] = VarDigits(2, 19);
    f[61] = VarDigits(2, 29);
    f[62] = VarBytes(2, 999);
    f[63] = VarBytes(2, 163);
    f[64] = Bytes(8);
    f
}

/// Where each field of a body is: from the value's first byte, without its prefix.
pub struct Fields<'a> {
    pub body: &'a [u8],
    pub bitmap: u64,
    at: [u16; 65],
    size: [u16; 65],
}

impl<'a> Fields<'a> {
    pub fn has(&self, number: usize) -> bool {
        self.bitmap >> (64 - number) & 1 == 1
    }

    #[inline]
    pub fn get(&self, number: usize) -> Option<&'a [u8]> {
        if !self.has(number) {
            return None;
        }
        let at = self.at[number] as usize;
        Some(&self.body[at..at + self.size[number] as usize])
    }

    /// Where a field's value begins in the body.
    pub fn place(&self, number: usize) -> Option<usize> {
        if self.has(number) { Some(self.at[number] as usize) } else { None }
    }

    pub fn mti(&self) -> u16 {
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// A body as its dialect has it, or `None` where it is not: unknown field, prefix, cut, rest.
    pub fn walk(body: &'a [u8]) -> Option<Fields<'a>> {
        if body.len() < 10 || body.len() > 4096 {
            return None;
        }
        let bitmap = u64::from_be_bytes(body[2..10].try_into().ok()?);
        let mut fields = Fields { body, bitmap, at: [0; 65], size: [0; 65] };
        let mut left = bitmap;
        let mut at = 10usize;
        while left != 0 {
            let number = left.leading_zeros() as usize + 1;
            left &= !(1 << (64 - number));
            let size = match FORMS[number] {
                Absent => return None,
                Digits(count) | Left(count) => (count as usize + 1) / 2,
                Bytes(count) => count as usize,
                VarDigits(prefix, most) => {
                    let count = prefix_of(body, &mut at, prefix, most)?;
                    (count + 1) / 2
                }
                VarBytes(prefix, most) => prefix_of(body, &mut at, prefix, most)?,
            };
            if at + size > body.len() {
                return None;
            }
            fields.at[number] = at as u16;
            fields.size[number] = size as u16;
            at += size;
        }
        if at == body.len() {
            Some(fields)
        } else {
            None
        }
    }
}

#[inline]
fn prefix_of(body: &[u8], at: &mut usize, prefix: u8, most: u16) -> Option<usize> {
    let mut count = 0usize;
    for _ in 0..prefix {
        let byte = *body.get(*at)?;
        if byte & 15 > 9 || byte >> 4 > 9 {
            return None;
        }
        count = count * 100 + (byte >> 4) as usize * 10 + (byte & 15) as usize;
        *at += 1;
    }
    if count > most as usize {
        return None;
    }
    Some(count)
}

/// A body under construction; fields must come in ascending order.
pub struct Packer {
    bytes: Vec<u8>,
    bitmap: u64,
    last: usize,
}

impl Packer {
    pub fn new(mti: u16) -> Packer {
        let mut bytes = mti.to_be_bytes().to_vec();
        bytes.extend([0; 8]);
        Packer { bytes, bitmap: 0, last: 1 }
    }

    /// Digits for the digit forms (`=` and `D` are separators), bytes for the others.
    pub fn put(mut self, number: usize, value: &[u8]) -> Packer {
        assert!(number > self.last && number <= 64, "field {number} out of order");
        self.last = number;
        self.bitmap |= 1 << (64 - number);
        match FORMS[number] {
            Absent => panic!("field {number} is not of the dialect"),
            Digits(count) => {
                assert_eq!(value.len(), count as usize, "field {number}");
                let mut padded = if count % 2 == 1 { vec![b'0'] } else { Vec::new() };
                padded.extend(value);
                self.bytes.extend(bcd(&padded));
            }
            Left(count) => {
                assert_eq!(value.len(), count as usize, "field {number}");
                self.bytes.extend(bcd(value));
            }
            Bytes(count) => {
                assert_eq!(value.len(), count as usize, "field {number}");
                self.bytes.extend(value);
            }
            VarDigits(prefix, most) => {
                self.prefix(number, prefix, most, value.len());
                self.bytes.extend(bcd(value));
            }
            VarBytes(prefix, most) => {
                self.prefix(number, prefix, most, value.len());
                self.bytes.extend(value);
            }
        }
        self
    }

    fn prefix(&mut self, number: usize, prefix: u8, most: u16, count: usize) {
        assert!(count <= most as usize, "field {number}");
        let text = if prefix == 1 { format!("{count:02}") } else { format!("{count:04}") };
        self.bytes.extend(bcd(text.as_bytes()));
    }

    /// Length, TPDU, header, body.
    pub fn frame(mut self, tpdu: &[u8; 5], header: &[u8; 6]) -> Vec<u8> {
        self.bytes[2..10].copy_from_slice(&self.bitmap.to_be_bytes());
        let size = (tpdu.len() + header.len() + self.bytes.len()) as u16;
        [&size.to_be_bytes()[..], tpdu, header, &self.bytes].concat()
    }
}

/// Digits as nibbles, left aligned, a zero behind an odd count.
pub fn bcd(digits: &[u8]) -> Vec<u8> {
    let nibble = |c: u8| match c {
        b'0'..=b'9' => c - b'0',
        b'=' | b'D' => 13,
        other => panic!("no digit: {other}"),
    };
    digits.chunks(2).map(|pair| nibble(pair[0]) << 4 | pair.get(1).map_or(0, |&c| nibble(c))).collect()
}

/// `N` bytes of BCD, right aligned.
#[inline]
pub fn bcd_of<const N: usize>(mut value: u64) -> [u8; N] {
    let mut out = [0u8; N];
    for byte in out.iter_mut().rev() {
        let two = (value % 100) as u8;
        value /= 100;
        *byte = two / 10 << 4 | two % 10;
    }
    out
}

/// The number that BCD bytes are; `None` where one is no digit.
#[inline]
pub fn number_of(bytes: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for &byte in bytes {
        if byte & 15 > 9 || byte >> 4 > 9 {
            return None;
        }
        value = value * 100 + u64::from(byte >> 4) * 10 + u64::from(byte & 15);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Captured and built frames of the dialect sheet, from the body on.
    const SALE_REPLY: &str = "0210703E02810AD08213166225000000000014000000000000000001000134091947042815120427000100080009584030393139343731343530363030303538343032303031333032343430333830363231313030223930333130303030202020303330323538343020202031353600179F3602031E910A42FE066E2918B088303000132200000700050000034355503531443837343145";

    fn bytes(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn a_captured_reply_is_walked() {
        let body = bytes(SALE_REPLY);
        let fields = Fields::walk(&body).unwrap();
        assert_eq!(fields.mti(), 0x0210);
        assert_eq!(fields.get(41), Some(&b"58402001"[..]));
        assert_eq!(fields.get(63), Some(&b"CUP"[..]));
        assert_eq!(fields.get(64), Some(&b"51D8741E"[..]));
        assert_eq!(fields.get(11).and_then(number_of), Some(134));
        assert_eq!(fields.get(5), None);
    }

    #[test]
    fn no_prefix_of_a_reply_and_nothing_longer_is_one() {
        let mut body = bytes(SALE_REPLY);
        for size in 0..body.len() {
            assert!(Fields::walk(&body[..size]).is_none(), "{size}");
        }
        body.push(0);
        assert!(Fields::walk(&body).is_none());
    }

    #[test]
    fn every_changed_byte_is_walked_or_refused() {
        let body = bytes(SALE_REPLY);
        for at in 0..body.len() {
            for value in 0..=255 {
                let mut changed = body.clone();
                changed[at] = value;
                if let Some(fields) = Fields::walk(&changed) {
                    (2..=64).for_each(|number| { fields.get(number); });
                }
            }
        }
    }

    #[test]
    fn what_is_packed_is_walked_again() {
        let frame = Packer::new(0x0200)
            .put(2, b"6225000000000014").put(3, b"000000").put(4, b"000000012345").put(11, b"000059")
            .put(22, b"021").put(23, b"001").put(41, b"09101515").put(60, b"2200000100050")
            .put(64, &[0; 8]).frame(&[0x60, 0, 3, 0, 0], &[0x60, 0x31, 0, 0x31, 0, 0]);
        assert_eq!(u16::from_be_bytes([frame[0], frame[1]]) as usize, frame.len() - 2);
        let fields = Fields::walk(&frame[BODY..]).unwrap();
        assert_eq!(fields.get(22), Some(&[0x02, 0x10][..]));
        assert_eq!(fields.get(23), Some(&[0x00, 0x01][..]));
        assert_eq!(fields.get(60), Some(&[0x22, 0, 0, 1, 0, 5, 0][..]));
    }

    #[test]
    fn numbers_go_there_and_back() {
        assert_eq!(bcd_of::<3>(123456), [0x12, 0x34, 0x56]);
        assert_eq!(bcd_of::<6>(7), [0, 0, 0, 0, 0, 7]);
        assert_eq!(number_of(&[0x12, 0x34]), Some(1234));
        assert_eq!(number_of(&[0x1A]), None);
    }
}
