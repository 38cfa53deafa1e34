//! `--ids`: writes the ids of an array's rows to a file next to it.

use std::path::PathBuf;

use albert::Error;
use albert::error::count;
use albert::io::{
    Format, InputFormat, Needed, OrderedWriter, OutputTarget, Part, RecordBody, RecordReader, Source,
};

use crate::cli::args::embed::EmbedArgs;
use crate::cli::output::report::Reporter;

/// A file of ids. The records are read once for it, before vectors are computed.
pub(super) struct IdFile<'a> {
    target: OutputTarget,
    source: &'a Source,
    format: InputFormat,
    part: Part,
    field: &'a str,
}

impl<'a> IdFile<'a> {
    /// Opens the file of `--ids`, if it is given.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the output is not an array, or if the input can only be read once; errors from
    /// [`OutputTarget::open`].
    pub(super) fn open(
        args: &'a EmbedArgs,
        source: &'a Source,
        is_array: bool,
    ) -> Result<Option<Self>, Error> {
        let Some(path) = &args.ids else { return Ok(None) };
        let refused =
            |problem: &str| Err(Error::InvalidOption { name: "ids".to_owned(), problem: problem.to_owned() });
        if !is_array {
            return refused("is for .npy and .safetensors files; other formats keep all fields of a record");
        }
        let is_same = |other: &PathBuf| OutputTarget::is_same_file(path, other);
        if args.output.as_ref().map(is_same).transpose()? == Some(true) {
            return refused("is the same file as --output");
        }
        let Some(files) = source.files() else {
            return refused("needs --input FILE, because the input is read twice");
        };
        for file in files {
            if is_same(file)? {
                return refused("is the same file as --input");
            }
        }
        Ok(Some(Self {
            target: OutputTarget::open(Some(path))?,
            source,
            format: args.input.records.input_format.into(),
            part: args.input.records.part.into(),
            field: &args.id_field,
        }))
    }

    /// Returns the columns that a table must have, so that a missing one fails before any work.
    pub(super) fn needed(args: &EmbedArgs) -> Option<Needed> {
        args.ids.as_ref().map(|_| Needed::new(&args.id_field, "id_field"))
    }

    /// Writes the ids of the records as JSON, one per line; `null` if a record has none. The file is moved into place
    /// when the writer is finished, and deleted otherwise.
    ///
    /// # Errors
    /// Errors from [`RecordReader`] and [`OrderedWriter`].
    pub(super) fn write(self, reporter: &Reporter) -> Result<OrderedWriter, Error> {
        let Self { target, source, format, part, field } = self;
        let reader = RecordReader::open_part(source, format, part, &[])?;
        let mut writer = OrderedWriter::new(target, Format::Jsonl);
        let (mut index, mut without) = (0, 0);
        while let Some(record) = reader.wait() {
            let id = match record?.body {
                Ok(RecordBody::Object(fields)) => fields.raw(field).map(|id| id.get().as_bytes().to_vec()),
                Ok(RecordBody::Text(_)) | Err(_) => None,
            };
            without += u64::from(id.is_none());
            writer.put(index, id.unwrap_or_else(|| b"null".to_vec()))?;
            index += 1;
        }
        if without > 0 {
            let (have, ids) = if without == 1 { ("has", "its id is") } else { ("have", "their ids are") };
            let records = count(index, "record");
            reporter.warn(&format!("{without} of {records} {have} no field \"{field}\"; {ids} null"));
        }
        Ok(writer)
    }
}
