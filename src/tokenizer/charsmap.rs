//! The normalization table of a SentencePiece model: a double-array trie of prefixes with their replacements.

/// A SentencePiece `precompiled_charsmap`. Lookups are safe for arbitrary bytes.
#[derive(Debug, Default)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: Vec<u8>,
}

impl Charsmap {
    /// Reads `<length of the trie in bytes><trie><NUL-terminated replacements>`. An empty table changes nothing.
    pub(super) fn new(blob: &[u8]) -> Option<Self> {
        if blob.is_empty() {
            return Some(Self::default());
        }
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (trie, replacements) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        std::str::from_utf8(replacements).ok()?;
        let units = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        Some(Self { units, replacements: replacements.to_vec() })
    }

    /// Returns the longest rule that matches the start of `text`: its length in bytes and its replacement.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, &str)> {
        let mut at = offset(*self.units.first()?);
        let mut found = None;
        for (n, &byte) in text.iter().enumerate() {
            at ^= byte as usize;
            let Some(&unit) = self.units.get(at) else { break };
            if unit & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            at ^= offset(unit);
            if unit >> 8 & 1 == 1 {
                found = self.units.get(at).map(|&leaf| (n + 1, (leaf & !(1 << 31)) as usize));
            }
        }
        let (length, start) = found?;
        let tail = self.replacements.get(start..)?;
        let end = tail.iter().position(|&b| b == 0).unwrap_or(tail.len());
        std::str::from_utf8(&tail[..end]).ok().map(|text| (length, text))
    }
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_tables_are_refused_or_harmless() {
        assert!(Charsmap::new(b"").is_some_and(|m| m.longest(b"a").is_none()));
        assert!(Charsmap::new(b"\x01\x02").is_none());
        assert!(Charsmap::new(b"\xff\xff\xff\xff....").is_none());
        // Every unit points out of bounds.
        let mut blob = 64u32.to_le_bytes().to_vec();
        blob.extend([0xff; 64]);
        blob.extend(b"x\0");
        let map = Charsmap::new(&blob).expect("well formed");
        for byte in 0..=255u8 {
            assert!(map.longest(&[byte, byte, byte]).is_none_or(|(n, _)| n <= 3));
        }
    }
}
