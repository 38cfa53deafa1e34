//! Reads pickles without executing anything: which tensors they describe, and under which names.

mod input;
mod machine;
mod memo;
mod objects;
mod value;
mod walk;

pub(super) use input::Input;
pub(super) use machine::load;
pub(super) use objects::storage_dtype;
pub(super) use value::{Described, Heap, Storage, Value};
pub(super) use walk::named_tensors;
