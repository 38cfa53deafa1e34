//! Parquet: typed columns, read and written in groups of rows.

mod arrays;
mod infer;
mod read;
mod write;

pub(super) use read::{ParquetInput, check_same};
pub(super) use write::{ParquetWriter, Plan};

/// Returns a message without the library's error kind.
fn plain(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    for prefix in ["Parquet error: ", "Arrow: ", "External: ", "EOF: "] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return plain(rest);
        }
    }
    text
}
