//! The memo of a pickle: values that it refers to again.

use std::collections::HashMap;

use super::value::Value;

/// The memo of a pickle. Its entries are usually numbered from 0 without gaps.
#[derive(Default)]
pub(super) struct Memo {
    pub(super) dense: Vec<Value>,
    pub(super) sparse: HashMap<u64, Value>,
}

impl Memo {
    /// Stores a value. Returns true if the number is new.
    pub(super) fn put(&mut self, number: u64, value: Value) -> bool {
        if let Some(slot) = usize::try_from(number).ok().and_then(|i| self.dense.get_mut(i)) {
            *slot = value;
            return false;
        }
        if number == self.dense.len() as u64 {
            self.dense.push(value);
            return true;
        }
        self.sparse.insert(number, value).is_none()
    }

    pub(super) fn get(&self, number: u64) -> Option<Value> {
        let dense = usize::try_from(number).ok().and_then(|i| self.dense.get(i));
        dense.or_else(|| self.sparse.get(&number)).copied()
    }
}
