//! Code shared by all tasks that read records: input, output, interrupts, exit status.

use std::io::IsTerminal;
use std::path::Path;

use albert::Error;
use albert::checkpoint::Checkpoint;
use albert::error::count;
use albert::io::{
    Complete, FinishedFiles, Format, HeaderRow, InputFormat, Leftover, Needed, Numbered, OrderedWriter,
    OutputTarget, Part, RecordReader, Source,
};
use albert::stream::{self, OnError, Render, SharedWriter, StreamOptions};

use crate::cli::args::common::{InputArgs, ModelArgs, OutputArgs, RecordArgs};
use crate::cli::args::part::PartArgs;
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::interrupt::close_on_interrupt;
use crate::cli::output::report::Reporter;
use crate::cli::output::stream_progress::StreamProgress;
use crate::cli::output::wording;
use crate::cli::resume::{self, Description};

/// The input and output of a task. They are opened before the model is loaded, so that a bad path fails immediately.
pub(super) struct Streams {
    reader: RecordReader,
    writer: OrderedWriter,
    /// A second file, which is moved into place when the output is complete.
    companion: Option<OrderedWriter>,
    format: Format,
    terminal: bool,
    limit: Option<u64>,
    /// The partial file of an interrupted run.
    leftover: Option<Leftover>,
    /// The complete records in it, if the run continues them.
    complete: Option<Complete>,
    /// Number of records in earlier, finished files, and how many of them failed.
    before: (u64, u64),
    /// The description of this run, if it can be resumed.
    description: Option<Description>,
    warnings: Vec<String>,
}

/// Opens the input and output of a task that reads texts.
pub(super) fn open_texts(input: &InputArgs, output: &OutputArgs) -> Result<Streams, Failure> {
    let name = output.output.as_deref();
    let format = |terminal| output.format.resolve(name, terminal);
    open_records(&input.source()?, &input.records, &input.needed(), name, format)
}

/// Like [`open`], with the format and the part of the input selected by `records`.
pub(super) fn open_records(
    source: &Source,
    records: &RecordArgs,
    needed: &[Needed],
    output: Option<&Path>,
    format: impl FnOnce(bool) -> albert::Result<Format>,
) -> Result<Streams, Failure> {
    open(source, records.input_format.into(), (records.part, records.on_error), needed, output, format)
}

/// Opens input and output. A table must have the columns in `needed`. `format` receives whether the output is a terminal.
pub(super) fn open(
    source: &Source,
    input_format: InputFormat,
    (part, on_error): (PartArgs, OnError),
    needed: &[Needed],
    output: Option<&Path>,
    format: impl FnOnce(bool) -> albert::Result<Format>,
) -> Result<Streams, Failure> {
    let terminal = output.is_none() && std::io::stdout().is_terminal();
    let format = format(terminal)?;
    let files = numbered(part, output)?;
    let finished = match &files {
        Some(files) => files.finished(format)?,
        None => FinishedFiles::default(),
    };
    let number = finished.files + 1;
    let is_later_shard = part.shard.is_some_and(|shard| shard.index > 1);
    let header = match is_later_shard && files.is_none() {
        true => HeaderRow::Absent { with_errors: on_error == OnError::Skip },
        false => HeaderRow::Present,
    };
    let target = match &files {
        Some(files) => OutputTarget::open_records(Some(&files.file(number)))?,
        None => OutputTarget::open_records(output)?,
    };
    let description = Description::of_this_run(source, &target, format, files.is_some())?;
    let leftover = target.leftover().filter(|leftover| leftover.bytes > 0 || leftover.description.is_some());
    if part.resume && description.is_none() {
        return Err(resume::impossible(source, &target, format, files.is_some()).into());
    }
    if let (Some(files), true) = (&files, finished.files > 0)
        && (!part.resume || leftover.is_none())
    {
        return Err(already_exists(files, finished.files, leftover.is_some()).into());
    }
    let later = files.as_ref().map(|files| files.existing(number)).transpose()?.flatten();
    if let Some(later) = later {
        return Err(
            Error::bad_file(&later, "exists already; move it away, or choose another --output").into()
        );
    }
    let mut wanted = Part::from(part);
    if wanted != Part::default() && files.is_none() {
        check_inputs_stay(source, output)?;
    }
    let (mut complete, mut warnings) = (None, Vec::from_iter(file_as_text(source)));
    if let Some(description) = description.as_ref().filter(|_| part.resume) {
        let mut found = Complete::of(&target, format, header)?;
        let records = finished.records + found.records;
        if let Some(files) = &files {
            files.clean_up(finished.files);
        }
        if let Some(leftover) = leftover.as_ref().filter(|_| records > 0) {
            warnings.extend(description.check(leftover)?);
            wanted.skip += records;
            wanted.limit = wanted.limit.map(|limit| limit.saturating_sub(records));
            found.header = found.header.filter(|_| found.records > 0).or(finished.last.header);
            complete = Some(found);
        }
    }
    let reader = RecordReader::open_part(source, input_format, wanted, needed)?;
    let mut writer = OrderedWriter::new(target, format);
    if matches!(header, HeaderRow::Absent { .. }) {
        writer = writer.without_header();
    }
    if let Some(files) = files {
        writer = writer.in_files(files, number);
    }
    let limit = wanted.limit;
    let before = (finished.records, finished.failed);
    Ok(Streams {
        reader,
        writer,
        companion: None,
        format,
        terminal,
        limit,
        leftover,
        complete,
        before,
        description,
        warnings,
    })
}

/// Returns a warning about the first text on the command line that is the name of a file.
fn file_as_text(source: &Source) -> Option<String> {
    let Source::Arguments(texts) = source else { return None };
    let is_file = |text: &&String| !text.contains(char::is_whitespace) && Path::new(text).is_file();
    let name = texts.iter().find(is_file)?;
    Some(format!("\"{name}\" is the name of a file but is read as a text; --input {name} reads the file"))
}

/// Returns the files of `--records-per-file`.
fn numbered(part: PartArgs, output: Option<&Path>) -> albert::Result<Option<Numbered>> {
    let Some(records) = part.records_per_file else { return Ok(None) };
    match output {
        Some(output) if output.file_name().is_some() && OutputTarget::is_file(output)? => {
            Ok(Some(Numbered::new(output, records)))
        }
        _ => Err(Error::InvalidOption {
            name: "records_per_file".to_owned(),
            problem: "needs --output FILE, after which the files are named".to_owned(),
        }),
    }
}

/// Checks that the output of a part does not replace the input, most of which would be lost.
fn check_inputs_stay(source: &Source, output: Option<&Path>) -> albert::Result<()> {
    let inputs = match source {
        Source::File(file) => std::slice::from_ref(file),
        Source::Files(files) => files,
        Source::Arguments(_) | Source::Stdin => &[],
    };
    let Some(output) = output else { return Ok(()) };
    for input in inputs {
        if OutputTarget::is_same_file(input, output)? {
            return Err(Error::InvalidOption {
                name: "output".to_owned(),
                problem: format!(
                    "{} is the input, and its other records would be lost; choose another name",
                    input.display()
                ),
            });
        }
    }
    Ok(())
}

/// Returns the error for numbered files that already exist.
fn already_exists(files: &Numbered, number: u64, interrupted: bool) -> Error {
    let last = match number {
        1 => String::new(),
        _ => format!(", as do those up to {}", files.file(number).display()),
    };
    let advice = if interrupted {
        "an interrupted run wrote them: continue it with --resume, or remove them"
    } else {
        "remove them, or choose another --output"
    };
    Error::bad_file(files.file(1), format!("exists already{last}; {advice}"))
}

impl Streams {
    /// Adds a second file, which is moved into place when the output is complete and deleted otherwise.
    pub(super) fn with_companion(self, writer: OrderedWriter) -> Self {
        Self { companion: Some(writer), ..self }
    }

    /// Sets the model of the run. An interrupted run must have used the same one.
    pub(super) fn with_model(mut self, checkpoint: &Checkpoint) -> Result<Self, Error> {
        if let Some(description) = &mut self.description {
            description.set_model(checkpoint)?;
        }
        self.checked()
    }

    /// Like [`Self::with_model`], for a tokenizer without a model.
    pub(super) fn with_tokenizer(mut self, args: &ModelArgs) -> Result<Self, Error> {
        if let Some(description) = &mut self.description {
            description.set_tokenizer(args)?;
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        if let (Some(description), Some(leftover), Some(_)) =
            (&self.description, &self.leftover, &self.complete)
        {
            description.check_model(leftover)?;
        }
        Ok(self)
    }

    /// Starts the output from scratch, or after the records of an interrupted run.
    fn start(&mut self, reporter: &Reporter) -> Result<(), Error> {
        self.warnings.iter().for_each(|warning| reporter.warn(warning));
        match (&self.leftover, &self.complete) {
            (Some(leftover), Some(complete)) => {
                let partial = leftover.path.display();
                let records = self.before.0 + complete.records;
                let earlier = if self.before.0 > 0 { " and the files before it" } else { "" };
                reporter.note(&format!(
                    "continuing after the {} in {partial}{earlier}",
                    count(records, "record")
                ));
            }
            (Some(leftover), None) if leftover.bytes > 0 => {
                let hint = leftover.description.as_ref().map_or("", |_| "; --resume would have continued it");
                let partial = leftover.path.display();
                reporter.note(&format!("replacing {partial}, which an interrupted run left{hint}"));
            }
            (_, _) => {}
        }
        let description = self.description.as_ref().map(Description::to_json);
        self.writer.start(self.complete.as_ref().unwrap_or(&Complete::default()), description.as_deref())
    }
}

/// Runs a task on all records.
pub(super) fn run<T: Render>(
    task: &T,
    mut streams: Streams,
    on_error: OnError,
    batch_tokens: usize,
    reporter: &Reporter,
) -> Result<ExitStatus, Failure> {
    streams.start(reporter).while_running()?;
    let Streams { reader, writer, companion, format, terminal, limit, complete, before, .. } = streams;
    let writer = SharedWriter::new(writer);
    close_on_interrupt(&writer).map_err(|source| Error::Io {
        path: "signals".into(),
        action: "watch",
        source,
    })?;
    let options = StreamOptions {
        batch_tokens,
        on_error,
        format,
        color: reporter.wants_color(terminal),
        rephrase_error: wording::rephrase_error,
    };
    let started = std::time::Instant::now();
    let mut observer = reporter.observer(StreamProgress::new(reader.progress(), limit));
    let result = stream::run(task, &reader, &writer, options, &mut observer);
    let broke_off = !matches!(&result, Ok(outcome) if !outcome.stopped);
    observer.end(!broke_off);
    drop(observer);
    let Some(writer) = writer.take() else {
        // An interrupt has taken the writer and is about to end the process.
        std::thread::park();
        return Ok(ExitStatus::SomeFailed);
    };
    if broke_off {
        let kept = writer.keep_partial().while_running();
        if let Err(failure) = &result.as_ref().map(|_| ())
            && failure.is_broken_pipe()
        {
            return Ok(ExitStatus::Done);
        }
        if let Some(partial) = kept? {
            reporter.note(&format!("finished records are in {}", partial.display()));
        }
    } else {
        writer.finish().while_running()?;
        companion.map_or(Ok(()), OrderedWriter::finish).while_running()?;
    }
    let outcome = result.while_running()?;
    if outcome.truncated > 1 {
        reporter.warn(&format!("{} texts were cut to the model's length", outcome.truncated));
    }
    reporter.detail(|| {
        format!("{} in {:.3} s", count(outcome.records, "record"), started.elapsed().as_secs_f64())
    });
    let failed = outcome.failed + complete.map_or(0, |complete| complete.failed + before.1);
    Ok(if failed == 0 { ExitStatus::Done } else { ExitStatus::SomeFailed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_among_texts() {
        let warning =
            |texts: &[&str]| file_as_text(&Source::Arguments(texts.iter().map(|t| (*t).into()).collect()));
        assert_eq!(
            warning(&["no such file", "Cargo.toml"]).as_deref(),
            Some(
                "\"Cargo.toml\" is the name of a file but is read as a text; --input Cargo.toml reads the file"
            )
        );
        assert_eq!(warning(&["text", "src", "Cargo.toml "]), None);
        assert_eq!(file_as_text(&Source::File("Cargo.toml".into())), None);
    }
}
