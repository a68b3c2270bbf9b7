//! One page of the journal, read by its published description and judged by itself.

use crate::digest::{crc32c, sha256};

const HEADER: usize = 240;
const ENTRY: usize = 24;
const COLUMNS_MAX: usize = 64;
const ROWS_MAX: usize = 65_536;

struct Column {
    name: [u8; 16],
    width: usize,
    offset: usize,
}

pub struct Page<'a> {
    value: &'a [u8],
    pub first: u64,
    pub count: usize,
    pub date: u32,
    pub digest: [u8; 32],
    pub before: [u8; 32],
    columns: Vec<Column>,
    heap: &'a [u8],
}

fn u16_at(data: &[u8], at: usize) -> usize {
    u16::from_le_bytes(data[at..at + 2].try_into().unwrap()) as usize
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(data[at..at + 4].try_into().unwrap())
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(data[at..at + 8].try_into().unwrap())
}

/// Width in bytes that a type must have; 0: any.
fn width_of(kind: u8) -> Option<usize> {
    Some(match kind {
        1 | 2 => 8,
        3 => 4,
        4 => 2,
        5 => 1,
        6 | 7 => 0,
        _ => return None,
    })
}

/// Version 1: of everything from the version on. Version 2: of the digests of its two halves.
fn digest_of(value: &[u8]) -> [u8; 32] {
    if u32_at(value, 48) == 1 {
        return sha256(&value[48..]);
    }
    let (left, right) = value[48..].split_at(8 + value.len() / 2);
    sha256(&[sha256(left), sha256(right)].concat())
}

impl<'a> Page<'a> {
    /// A value under its key. What is wrong with it is said in words.
    pub fn of(key: u64, value: &'a [u8]) -> Result<Page<'a>, String> {
        if value.len() < HEADER || &value[..8] != b"POSPAGE\n" {
            return Err("no page: another magic".into());
        }
        if value.len() % 4096 != 4080 || u64_at(value, 56) != value.len() as u64 {
            return Err(format!("size: {} bytes, the header says {}", value.len(), u64_at(value, 56)));
        }
        if ![1, 2].contains(&u32_at(value, 48)) {
            return Err(format!("format version {}", u32_at(value, 48)));
        }
        let crc = crc32c(&value[12..]);
        if u32_at(value, 8) != crc {
            return Err(format!("CRC-32C: {:08x} is written, {crc:08x} is right", u32_at(value, 8)));
        }
        let digest = digest_of(value);
        if value[16..48] != digest {
            return Err("digest: SHA-256 is another".into());
        }
        let first = u64_at(value, 64);
        if key != first {
            return Err(format!("key {key} over a page that begins with {first}"));
        }
        let count = u32_at(value, 72) as usize;
        if count == 0 || count > ROWS_MAX {
            return Err(format!("{count} entries"));
        }
        let heap_at = u32_at(value, 124) as usize;
        let heap_size = u32_at(value, 128) as usize;
        let heap = value.get(heap_at..heap_at + heap_size).ok_or("the heap is not within the page")?;
        Ok(Page {
            value,
            first,
            count,
            date: u32_at(value, 76),
            digest,
            before: value[144..176].try_into().unwrap(),
            columns: columns_of(value, count)?,
            heap,
        })
    }

    /// A column's bytes for a row; nothing where the page does not have it.
    pub fn cell(&self, column: Option<usize>, row: usize) -> &'a [u8] {
        match column {
            None => &[],
            Some(index) => {
                let Column { width, offset, .. } = self.columns[index];
                &self.value[offset + row * width..offset + (row + 1) * width]
            }
        }
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        let mut wanted = [0u8; 16];
        wanted[..name.len()].copy_from_slice(name.as_bytes());
        self.columns.iter().position(|column| column.name == wanted)
    }

    pub fn number(&self, column: Option<usize>, row: usize) -> u64 {
        let mut bytes = [0u8; 8];
        let cell = self.cell(column, row);
        bytes[..cell.len().min(8)].copy_from_slice(&cell[..cell.len().min(8)]);
        u64::from_le_bytes(bytes)
    }

    /// A field of the redacted request: a list of `u8` field, `u16` size, wire bytes.
    pub fn field(&self, offset: u64, size: u64, wanted: u8) -> Result<Option<&'a [u8]>, String> {
        let end = (offset + size) as usize;
        let mut rest = self.heap.get(offset as usize..end).ok_or("a request is not within the heap")?;
        while rest.len() >= 3 {
            let count = u16_at(rest, 1);
            let value = rest.get(3..3 + count).ok_or("a field is not within its request")?;
            if rest[0] == wanted {
                return Ok(Some(value));
            }
            rest = &rest[3 + count..];
        }
        Ok(None)
    }

    pub fn heap_size(&self) -> u64 {
        self.heap.len() as u64
    }
}

fn columns_of(value: &[u8], count: usize) -> Result<Vec<Column>, String> {
    let number = u32_at(value, 52) as usize;
    let directory = u32_at(value, 120) as usize;
    if number > COLUMNS_MAX || directory < HEADER || directory + number * ENTRY > value.len() {
        return Err("the directory of columns is not within the page".into());
    }
    let mut columns = Vec::new();
    for entry in value[directory..directory + number * ENTRY].chunks_exact(ENTRY) {
        let width = u16_at(entry, 18);
        let offset = u32_at(entry, 20) as usize;
        let known = width_of(entry[16]).ok_or_else(|| format!("column type {}", entry[16]))?;
        if (known != 0 && known != width) || offset % 64 != 48 || offset + count * width > value.len() {
            let name = String::from_utf8_lossy(&entry[..16]).trim_end_matches('\0').to_string();
            return Err(format!("column {name} is not within the page, or not aligned"));
        }
        columns.push(Column { name: entry[..16].try_into().unwrap(), width, offset });
    }
    Ok(columns)
}
