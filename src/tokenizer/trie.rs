//! A double-array trie over bytes: fast to build, with one memory access per byte in lookups.

/// Marks a missing value.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Unit {
    /// Base of the children: child `b` is unit `base + b`.
    base: u32,
    /// The parent of this unit, or `NONE` if it is free.
    check: u32,
    /// The value of the key that ends here, or `NONE`.
    value: u32,
}

const FREE: Unit = Unit { base: 0, check: NONE, value: NONE };

/// A map from byte strings to values for prefix lookups.
#[derive(Debug)]
pub(super) struct Trie {
    units: Vec<Unit>,
}

impl Trie {
    /// Builds the trie. For duplicate keys, the last one wins.
    pub(super) fn new<'a>(keys: impl IntoIterator<Item = (&'a [u8], u32)>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().filter(|(key, _)| !key.is_empty()).collect();
        keys.sort_by(|a, b| a.0.cmp(b.0));
        let mut trie = Self { units: vec![FREE; 1024] };
        trie.units[0].check = 0;
        let mut search = 1;
        let mut work = vec![(0usize, 0..keys.len(), 0usize)];
        let mut children = Vec::new();
        while let Some((node, range, depth)) = work.pop() {
            children.clear();
            let mut start = range.start;
            while start < range.end {
                let Some(&byte) = keys[start].0.get(depth) else {
                    trie.units[node].value = keys[start].1;
                    start += 1;
                    continue;
                };
                let same = |(key, _): &(&[u8], u32)| key.get(depth) == Some(&byte);
                let end = start + keys[start..range.end].iter().take_while(|k| same(k)).count();
                children.push((byte, start..end));
                start = end;
            }
            let Some((first, _)) = children.first() else { continue };
            let base = trie.free_base(*first, &children, &mut search);
            trie.units[node].base = base as u32;
            for (byte, range) in children.drain(..) {
                let child = base + byte as usize;
                trie.units[child].check = node as u32;
                work.push((child, range, depth + 1));
            }
        }
        trie
    }

    /// Returns the lowest base, at or after `search`, at which the units of all children are free.
    fn free_base(
        &mut self,
        first: u8,
        children: &[(u8, std::ops::Range<usize>)],
        search: &mut usize,
    ) -> usize {
        let mut at = (*search).max(first as usize + 1);
        let (mut tried, mut taken) = (0usize, 0usize);
        loop {
            if at + 512 > self.units.len() {
                self.units.resize((self.units.len() * 2).max(at + 512), FREE);
            }
            tried += 1;
            if self.units[at].check != NONE {
                taken += 1;
            } else {
                let base = at - first as usize;
                if children.iter().all(|(byte, _)| self.units[base + *byte as usize].check == NONE) {
                    // The units up to here are mostly full, so the next search starts here.
                    if taken * 20 >= tried * 19 || tried > 2000 {
                        *search = at;
                    }
                    return base;
                }
            }
            at += 1;
        }
    }

    /// The root node.
    pub(super) const ROOT: usize = 0;

    /// Follows one byte. Returns the next node and the value of the key that ends there.
    #[inline]
    pub(super) fn step(&self, node: usize, byte: u8) -> Option<(usize, Option<u32>)> {
        let next = self.units[node].base as usize + byte as usize;
        let unit = self.units.get(next)?;
        (next != 0 && unit.check as usize == node)
            .then_some((next, (unit.value != NONE).then_some(unit.value)))
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<u32> {
        let mut at = (Self::ROOT, None);
        for &byte in key {
            at = self.step(at.0, byte)?;
        }
        at.1
    }

    /// Returns the length of the longest key that is a prefix of `text`.
    pub(super) fn longest(&self, text: &[u8]) -> Option<usize> {
        self.longest_with_value(text).map(|(length, _)| length)
    }

    /// Returns the length and the value of the longest key that is a prefix of `text`.
    pub(super) fn longest_with_value(&self, text: &[u8]) -> Option<(usize, u32)> {
        let (mut node, mut found) = (Self::ROOT, None);
        for (n, &byte) in text.iter().enumerate() {
            let Some((next, value)) = self.step(node, byte) else { break };
            node = next;
            found = value.map(|value| (n + 1, value)).or(found);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn finds_every_key_and_no_other() {
        let mut state = 1u64;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        let keys: HashMap<Vec<u8>, u32> = (0..5000)
            .map(|i| {
                (
                    (0..1 + random(6))
                        .map(|_| (1 + random(if i % 2 == 0 { 255 } else { 9 })) as u8)
                        .collect(),
                    i,
                )
            })
            .collect();
        let trie = Trie::new(keys.iter().map(|(k, v)| (k.as_slice(), *v)));
        for (key, value) in &keys {
            assert_eq!(trie.get(key), Some(*value));
            let longer = [key.as_slice(), &[7]].concat();
            assert_eq!(trie.get(&longer), keys.get(&longer).copied());
            assert!(trie.longest(&longer) >= Some(key.len()));
        }
        assert_eq!(Trie::new([]).get(b"a"), None);
    }

    #[test]
    fn the_root_is_no_ones_child() {
        let trie = Trie::new([(b"a".as_slice(), 1)]);
        assert_eq!(trie.get(b"\0"), None);
        assert_eq!(trie.get(b"a\0"), None);
    }
}
