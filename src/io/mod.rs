//! Input and output of records: lines of text or JSON objects, in input order.

mod array;
mod array_records;
mod compressed;
mod destination;
mod directory;
mod fields;
mod file_output;
mod json;
mod lines;
mod lock;
mod open_file;
mod output;
mod reader;
mod shape;
mod squad;
mod tables;
mod writer;
mod zstd;

pub use array::{ArrayKind, ArrayLayout};
pub(crate) use compressed::decompressed;
pub use destination::create_directory;
pub(crate) use destination::resolve_directory;
pub use directory::NewDirectory;
pub(crate) use directory::open_to_all;
pub(crate) use fields::lone_surrogate;
pub use fields::{Fields, JsonText};
pub(crate) use file_output::replace_file;
pub use lines::{LineReader, MAX_LINE_BYTES};
pub use lock::DirectoryLock;
pub use output::{Format, OutputTarget};
pub use reader::{InputFormat, Record, RecordBody, RecordReader, Source};
pub(crate) use shape::{Shape, shape};
pub(crate) use squad::read_squad;
pub use tables::{Cell, Column, ColumnType, Needed, TableColumns, TableKind, TableLayout, TableRow};
pub use writer::{Entry, OrderedWriter};
