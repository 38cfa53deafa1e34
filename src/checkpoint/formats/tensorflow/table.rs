//! Reads LevelDB's table format, in which TensorFlow stores the index of a checkpoint. The complete table is read, and
//! every size is checked against the file.
//!
//! Reference: LevelDB's `doc/table_format.md`; TensorFlow writes its indexes without compression.

/// Magic number at the end of every table.
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();
const FOOTER: usize = 48;
/// Maximum size of the decoded entries in bytes. Keys share prefixes, so the entries can be far larger than the file. The
/// table of an ALBERT has a few kilobytes.
const MAX_UNFOLDED: usize = 64 << 20;
/// Memory per entry in addition to its bytes.
const ENTRY: usize = 64;
/// Size of a block's trailer: compression type and checksum.
const TRAILER: usize = 5;

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Reads the entries of a table, in order.
///
/// # Errors
/// A description of the damage.
pub(crate) fn read_table(file: &[u8]) -> Result<Vec<Entry>, String> {
    let footer = file.len().checked_sub(FOOTER).map(|at| &file[at..]);
    let footer = footer.filter(|f| f.ends_with(&MAGIC)).ok_or("it does not end like a table")?;
    let mut place = footer;
    let _meta_index = handle(&mut place).ok_or("its footer is damaged")?;
    let index = handle(&mut place).ok_or("its footer is damaged")?;
    let mut entries = Vec::new();
    let mut left = MAX_UNFOLDED;
    for (_, value) in block(file, index, &mut left)? {
        let mut value = value.as_slice();
        let data = handle(&mut value).ok_or("its index is damaged")?;
        entries.extend(block(file, data, &mut left)?);
    }
    Ok(entries)
}

/// Reads the offset and size of a block.
fn handle(bytes: &mut &[u8]) -> Option<(usize, usize)> {
    Some((varint(bytes)?.try_into().ok()?, varint(bytes)?.try_into().ok()?))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads the entries of one block, whose keys share prefixes with the preceding key. `left` is the remaining memory
/// budget.
fn block(file: &[u8], (offset, size): (usize, usize), left: &mut usize) -> Result<Vec<Entry>, String> {
    let end = offset.checked_add(size).and_then(|end| end.checked_add(TRAILER));
    let whole = end.and_then(|end| file.get(offset..end)).ok_or("a block lies outside the file")?;
    let (data, trailer) = whole.split_at(size);
    let stored = u32::from_le_bytes([trailer[1], trailer[2], trailer[3], trailer[4]]);
    if unmasked(stored) != crc32c::crc32c(&whole[..size + 1]) {
        return Err("the checksum of a block is wrong: is the file damaged?".to_owned());
    }
    if trailer[0] != 0 {
        return Err("a block is compressed, which TensorFlow's indexes never are".to_owned());
    }
    let damaged = || "a block is damaged".to_owned();
    let restarts = data.last_chunk::<4>().map(|n| u32::from_le_bytes(*n) as usize).ok_or_else(damaged)?;
    let table = restarts.checked_add(1).and_then(|n| n.checked_mul(4)).ok_or_else(damaged)?;
    let mut rest = data.len().checked_sub(table).map(|n| &data[..n]).ok_or_else(damaged)?;
    let mut entries: Vec<Entry> = Vec::new();
    while !rest.is_empty() {
        let mut number = || varint(&mut rest).and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged);
        let (shared, unshared, length) = (number()?, number()?, number()?);
        let taken = shared.saturating_add(unshared).saturating_add(length).saturating_add(ENTRY);
        *left = left.checked_sub(taken).ok_or("its entries are too many or too long")?;
        let before = entries.last().map_or(&[][..], |(key, _)| key.as_slice());
        let mut key = before.get(..shared).ok_or_else(damaged)?.to_vec();
        key.extend(rest.get(..unshared).ok_or_else(damaged)?);
        rest = &rest[unshared..];
        let value = rest.get(..length).ok_or_else(damaged)?.to_vec();
        rest = &rest[length..];
        entries.push((key, value));
    }
    Ok(entries)
}

/// Unmasks a checksum. Checksums are stored rotated and offset, so that a checksum of data with embedded checksums
/// remains useful.
pub(crate) fn unmasked(stored: u32) -> u32 {
    stored.wrapping_sub(0xa282_ead8).rotate_left(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        let mut bytes: &[u8] = &[0x05, 0xac, 0x02, 0xff];
        assert_eq!(varint(&mut bytes), Some(5));
        assert_eq!(varint(&mut bytes), Some(300));
        assert_eq!(varint(&mut bytes), None);
        let mut endless: &[u8] = &[0xff; 20];
        assert_eq!(varint(&mut endless), None);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(read_table(&[]).is_err());
        assert!(read_table(&[0; 100]).is_err());
        let mut file = vec![0xff; 40];
        file.extend(MAGIC);
        assert!(read_table(&file).is_err());
    }

    #[test]
    fn checksums_are_unmasked() {
        let crc = crc32c::crc32c(b"foo");
        let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(unmasked(masked), crc);
    }
}
