//! What a PyTorch file costs to read is known before it is read: the pickles have to be small, and a tar archive holds
//! plain files only. Nothing is interpreted here; that is `pytorch-reader`'s work.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, Result};

/// Of all pickles of a file. Each byte may make an object of a hundred; an ALBERT's pickle has some kilobytes, with the
/// state of its training some more.
pub(super) const MAX_PICKLE: u64 = 1 << 20;
/// Magic number, version, system, parameters, storages: the pickles at the beginning of a file before PyTorch 1.6.
const PICKLES: usize = 5;

/// Refuses files whose pickles are not small; zip archives are left to their own check.
///
/// # Errors
/// [`Error::BadFile`], [`Error::Io`].
pub(super) fn check(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let length = file.metadata().map_err(Error::io(path, "read"))?.len();
    let mut reader = BufReader::new(file);
    let mut head = Vec::new();
    reader.by_ref().take(512).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
    let bad = |problem: String| Error::bad_file(path, format!("cannot be read as a PyTorch file: {problem}"));
    if head.starts_with(b"PK") {
        return Ok(());
    }
    reader.seek(SeekFrom::Start(0)).map_err(Error::io(path, "read"))?;
    if head.get(257..262) == Some(b"ustar") {
        return check_tar(&mut reader, length).map_err(bad);
    }
    let mut skim = Skim { reader, at: 0 };
    for _ in 0..PICKLES {
        // What does not end, or is no pickle, is for the reader to complain of.
        if skim.pickle().is_none() {
            break;
        }
    }
    if skim.at > MAX_PICKLE { Err(bad(too_long(skim.at))) } else { Ok(()) }
}

/// What to say of a pickle of so many bytes.
pub(super) fn too_long(bytes: u64) -> String {
    format!("its pickle has {bytes} bytes or more, and an ALBERT's has at most {MAX_PICKLE}")
}

/// Reads over pickles, opcode by opcode.
struct Skim<R> {
    reader: R,
    at: u64,
}

impl<R: Read + Seek> Skim<R> {
    /// To the end of a pickle; `None` where the file ends, where there is none, or after too many bytes.
    fn pickle(&mut self) -> Option<()> {
        while self.at <= MAX_PICKLE {
            let [opcode] = self.bytes()?;
            let length = match opcode {
                b'.' => return Some(()),
                b'K' | b'h' | b'q' | 0x80 | 0x82 => 1,
                b'M' | 0x83 => 2,
                b'J' | b'j' | b'r' | 0x84 => 4,
                b'G' | 0x95 => 8,
                b'U' | b'C' | 0x8a | 0x8c => u64::from(self.bytes::<1>()?[0]),
                b'T' | b'X' | b'B' | 0x8b => u64::from(u32::from_le_bytes(self.bytes()?)),
                0x8d | 0x8e | 0x96 => u64::from_le_bytes(self.bytes()?),
                b'c' | b'i' => {
                    self.line()?;
                    self.line()?;
                    0
                }
                b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' => {
                    self.line()?;
                    0
                }
                _ => 0,
            };
            self.at = self.at.saturating_add(length);
            self.reader.seek_relative(i64::try_from(length).ok()?).ok()?;
        }
        None
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).ok()?;
        self.at += N as u64;
        Some(bytes)
    }

    fn line(&mut self) -> Option<()> {
        while self.at <= MAX_PICKLE {
            if self.bytes()? == *b"\n" {
                return Some(());
            }
        }
        None
    }
}

/// Walks through the headers of a tar archive: a sparse member could claim any size, a link any place.
fn check_tar<R: Read + Seek>(reader: &mut R, length: u64) -> std::result::Result<(), String> {
    let mut header = [0; 512];
    let mut at = 0;
    while reader.read_exact(&mut header).is_ok() && header[0] != 0 {
        let name = header[..100].split(|b| *b == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        if !matches!(header[156], b'0' | b'5' | 0) {
            return Err(format!("its member \"{}\" is no plain file", name.escape_debug()));
        }
        let digits = header[124..136].iter().skip_while(|b| **b == b' ').take_while(|b| b.is_ascii_digit());
        let size =
            digits.fold(0u64, |size, digit| size.saturating_mul(8).saturating_add(u64::from(digit - b'0')));
        let large = header[124] & 0x80 != 0;
        at += 512 + size.next_multiple_of(512);
        if large || at > length {
            return Err(format!("its member \"{}\" is longer than the file", name.escape_debug()));
        }
        let pickle = ["pickle", "tensors", "sys_info"].iter().any(|p| name.ends_with(p));
        if pickle && size > MAX_PICKLE {
            return Err(too_long(size));
        }
        reader.seek(SeekFrom::Start(at)).map_err(|e| e.to_string())?;
    }
    Ok(())
}
