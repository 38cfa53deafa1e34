//! Model outputs that are not finite.

use crate::checkpoint::all_finite;
use crate::error::{Error, Result};

/// The message about a record whose outputs are not finite.
pub const NOT_FINITE: &str = "the model's output is not finite: a narrow option dtype overflows (f32 does not), or the weights are damaged";

/// The outputs of a model for one row, checked for NaN and infinity.
pub trait Finite {
    /// Returns true if every value is finite.
    fn is_finite(&self) -> bool;
}

impl Finite for () {
    fn is_finite(&self) -> bool {
        true
    }
}

impl Finite for f32 {
    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }
}

impl Finite for Vec<f32> {
    fn is_finite(&self) -> bool {
        all_finite(self)
    }
}

impl Finite for Vec<Vec<f32>> {
    fn is_finite(&self) -> bool {
        self.iter().all(|values| all_finite(values))
    }
}

/// Checks the outputs of example number `index`, counted from 0.
///
/// # Errors
/// [`Error::Input`] naming the example whose outputs are not finite.
pub fn check_finite<O: Finite>(index: usize, outputs: &[O]) -> Result<()> {
    if outputs.iter().all(Finite::is_finite) {
        return Ok(());
    }
    Err(Error::Input(format!("example {}: {NOT_FINITE}", index + 1)))
}
