//! Processes that train one model together.

use crate::error::Result;

/// Sums over all processes of a run. Every process calls the same methods in the same order.
pub trait Communicator {
    /// The number of this process, from 0; that one writes.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// Replaces `values` by their sums over all processes.
    ///
    /// # Errors
    /// When a process is gone.
    fn sum_f32(&self, values: &mut [f32]) -> Result<()>;

    /// As [`Communicator::sum_f32`].
    ///
    /// # Errors
    /// When a process is gone.
    fn sum_f64(&self, values: &mut [f64]) -> Result<()>;

    /// True for all if it is true for one.
    ///
    /// # Errors
    /// When a process is gone.
    fn any(&self, value: bool) -> Result<bool> {
        let mut sum = [f64::from(u8::from(value))];
        self.sum_f64(&mut sum)?;
        Ok(sum[0] > 0.0)
    }
}

/// A run of one process.
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum_f32(&self, _values: &mut [f32]) -> Result<()> {
        Ok(())
    }

    fn sum_f64(&self, _values: &mut [f64]) -> Result<()> {
        Ok(())
    }
}
