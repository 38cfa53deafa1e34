//! Collections of examples for readers to fill, in memory or on disk.

use std::path::Path;

use crate::error::Result;

/// Receives examples in order.
pub trait Examples<T> {
    /// Adds the next example.
    ///
    /// # Errors
    /// If there is no room for it.
    fn add(&mut self, example: T) -> Result<()>;

    /// Returns the number of examples.
    fn count(&self) -> usize;

    /// Returns the directory for temporary files; `None` if the examples are in memory.
    fn directory(&self) -> Option<&Path> {
        None
    }

    /// Removes the examples with these indices, which are in ascending order.
    fn remove_numbers(&mut self, numbers: &[usize]);
}

impl<T> Examples<T> for Vec<T> {
    fn add(&mut self, example: T) -> Result<()> {
        self.push(example);
        Ok(())
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn remove_numbers(&mut self, numbers: &[usize]) {
        let (mut number, mut removed) = (0, numbers.iter().copied().peekable());
        self.retain(|_| {
            number += 1;
            removed.next_if_eq(&(number - 1)).is_none()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_removed_from_a_list() {
        let mut list: Vec<u8> = Vec::new();
        for value in 0..6 {
            list.add(value).expect("adds");
        }
        list.remove_numbers(&[]);
        list.remove_numbers(&[0, 3, 5]);
        assert_eq!(list, [1, 2, 4]);
        assert_eq!(list.count(), 3);
    }
}
