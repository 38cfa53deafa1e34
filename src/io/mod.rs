//! Input and output of records: lines of text or JSON objects, in input order.

mod array;
mod array_records;
mod complete;
mod compressed;
mod destination;
mod directory;
mod fields;
mod file_output;
mod fingerprint;
mod json;
mod lines;
mod lock;
mod numbered;
mod open_file;
mod output;
mod part;
mod partial;
mod queue;
mod reader;
mod record;
mod record_buffer;
mod scratch;
mod send;
mod shape;
mod squad;
mod tables;
mod temporary;
mod writer;
mod zstd;

pub use array::{ArrayKind, ArrayLayout};
pub use complete::{Complete, HeaderRow};
pub(crate) use compressed::decompressed;
pub use destination::create_directory;
pub(crate) use destination::resolve_directory;
pub use directory::NewDirectory;
pub(crate) use directory::open_to_all;
pub(crate) use fields::lone_surrogate;
pub use fields::{Fields, JsonText};
pub(crate) use file_output::replace_file;
pub use fingerprint::{Fingerprint, fingerprint, fingerprint_of_directory};
pub use lines::{LineReader, MAX_LINE_BYTES};
pub use lock::DirectoryLock;
pub use numbered::{FinishedFiles, Numbered};
pub use output::{Format, Leftover, OutputTarget};
pub use part::{Part, Shard};
pub use queue::ReadProgress;
pub use reader::{RecordReader, Source};
pub use record::{InputFormat, Record, RecordBody};
pub(crate) use scratch::Scratch;
pub(crate) use shape::{Shape, shape};
pub(crate) use squad::read_squad;
pub use tables::{
    Cell, Column, ColumnType, Needed, TableColumns, TableKind, TableLayout, TableRow, columns_of_records,
};
pub use writer::{Entry, OrderedWriter};
