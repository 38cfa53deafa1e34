//! Records in, records out: lines of text or JSON objects, in input order.

mod array;
mod compressed;
mod directory;
mod fields;
mod lock;
mod output;
mod reader;
mod squad;
mod writer;
mod zstd;

pub use array::{ArrayKind, ArrayLayout};
pub(crate) use compressed::decompressed;
pub use directory::NewDirectory;
pub(crate) use directory::open_to_all;
pub use fields::Fields;
pub use lock::DirectoryLock;
pub use output::{Format, OutputTarget};
pub use reader::{InputFormat, LineReader, MAX_LINE_BYTES, Record, RecordBody, RecordReader, Source};
pub(crate) use squad::{looks_like_squad, read_squad};
pub use writer::OrderedWriter;
