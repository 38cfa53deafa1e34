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
mod gzip;
mod json;
mod json_file;
mod json_line;
mod lines;
mod lock;
mod numbered;
mod open_file;
mod output;
mod part;
mod partial;
mod path_inside;
mod queue;
mod reader;
mod record;
mod record_buffer;
mod record_channel;
mod scratch;
mod send;
mod shape;
mod sorted;
mod squad;
mod tables;
mod temporary;
mod text_file;
mod writer;
mod zstd;

pub use array::{ArrayKind, ArrayLayout};
pub use complete::{Complete, HeaderRow};
pub(crate) use compressed::{NOT_UTF8_ADVICE, decompressed, unreadable};
pub(crate) use destination::check_creatable;
pub use destination::create_directory;
pub(crate) use destination::resolve_directory;
pub use directory::StagedDirectory;
pub(crate) use directory::make_world_readable;
pub(crate) use fields::lone_surrogate;
pub use fields::{Fields, JsonText};
pub(crate) use file_output::replace_file;
pub use fingerprint::{Fingerprint, fingerprint, fingerprint_of_directory};
pub(crate) use json_file::{from_json_file, json_text};
pub(crate) use json_line::json_problem;
pub use lines::{LineReader, MAX_LINE_BYTES};
pub use lock::DirectoryLock;
pub use numbered::{FinishedFiles, Numbered};
pub use output::{Format, Leftover, OutputTarget};
pub use part::{Part, Shard};
pub(crate) use path_inside::is_path_inside;
pub use queue::ReadProgress;
pub use reader::{RecordReader, Source};
pub use record::{InputFormat, Record, RecordBody};
pub(crate) use scratch::Scratch;
pub(crate) use shape::{Shape, shape};
pub(crate) use sorted::Sorted;
pub(crate) use squad::read_squad;
pub use tables::{
    Cell, Column, ColumnType, Needed, TableColumns, TableKind, TableLayout, TableRow, columns_of_records,
};
pub(crate) use tables::{
    MISSING_CELLS, REPEATED_HEADER, csv_separator, is_separator_line, repeats_header, separator_advice,
};
pub use text_file::read_text;
pub use writer::{Entry, OrderedWriter};
