//! Pickles, read without executing anything: which tensors they describe, and under which names.

mod machine;
mod objects;
mod value;
mod walk;

pub(super) use machine::{Input, load};
pub(super) use value::{Described, Heap, Node, Storage, Value};
pub(super) use walk::named_tensors;
