//! Records of CSV and TSV files. Any bytes give an error, or rows with one cell per column.
#![no_main]

use std::io::Write;
use std::path::Path;

use albert::io::{InputFormat, RecordBody, RecordReader, Source, TableKind};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let mut file = tempfile::NamedTempFile::new_in(base).expect("a file");
    file.write_all(bytes).expect("writes");
    for kind in [TableKind::Csv, TableKind::Tsv] {
        let source = Source::File(file.path().to_owned());
        let Ok(reader) = RecordReader::open(&source, InputFormat::Table(kind)) else { continue };
        let columns = reader.columns().expect("a table").names;
        let mut line = 0;
        while let Some(Ok(record)) = reader.wait() {
            assert!(record.line > line, "rows are in order");
            line = record.line;
            if let Ok(RecordBody::Object(fields)) = record.body {
                assert!(fields.names().eq(columns.iter().map(String::as_str)));
            }
        }
    }
});
