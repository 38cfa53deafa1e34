//! Records in, records out: lines of text or JSON objects, in input order.

mod fields;
mod output;
mod reader;
mod writer;

pub use fields::Fields;
pub use output::{Format, OutputTarget};
pub use reader::{InputFormat, LineReader, MAX_LINE_BYTES, Record, RecordBody, RecordReader, Source};
pub use writer::OrderedWriter;
