//! Code shared by all tasks that read records: input, output, interrupts, exit status.

use std::io::IsTerminal;
use std::path::Path;

use albert::Error;
use albert::checkpoint::Checkpoint;
use albert::io::{
    Complete, Format, InputFormat, Leftover, Needed, OrderedWriter, OutputTarget, Part, RecordReader, Source,
};
use albert::stream::{self, SharedWriter, StreamOptions, Task};

use crate::cli::args::common::{InputArgs, ModelArgs, OnErrorArg, OutputArgs, RecordArgs};
use crate::cli::args::part::PartArgs;
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::interrupt::close_on_interrupt;
use crate::cli::output::report::Reporter;
use crate::cli::output::stream_progress::StreamProgress;
use crate::cli::resume::{self, Description};

/// Input and output. They are opened before the model is loaded, so that a bad path fails immediately.
pub struct Streams {
    reader: RecordReader,
    writer: OrderedWriter,
    format: Format,
    terminal: bool,
    limit: Option<u64>,
    /// The partial file of an interrupted run.
    leftover: Option<Leftover>,
    /// The complete records in it, if they are continued.
    complete: Option<Complete>,
    /// Describes this run, if it can be resumed.
    description: Option<Description>,
    warning: Option<String>,
}

/// Opens the input and output of a task on texts.
pub fn open_texts(input: &InputArgs, output: &OutputArgs) -> Result<Streams, Failure> {
    let name = output.output.as_deref();
    let format = |terminal| output.format.resolve(name, terminal);
    open_records(&input.source()?, &input.records, &input.needed(), name, format)
}

/// As [`open`], with the format and the part of the input that `records` names.
pub fn open_records(
    source: &Source,
    records: &RecordArgs,
    needed: &[Needed],
    output: Option<&Path>,
    format: impl FnOnce(bool) -> albert::Result<Format>,
) -> Result<Streams, Failure> {
    open(source, records.input_format.into(), records.part, needed, output, format)
}

/// Opens input and output. A table must have the columns in `needed`. `format` receives whether the output is a terminal.
pub fn open(
    source: &Source,
    input_format: InputFormat,
    part: PartArgs,
    needed: &[Needed],
    output: Option<&Path>,
    format: impl FnOnce(bool) -> albert::Result<Format>,
) -> Result<Streams, Failure> {
    let terminal = output.is_none() && std::io::stdout().is_terminal();
    let format = format(terminal)?;
    let target = OutputTarget::open_records(output)?;
    let description = Description::of_this_run(source, &target, format)?;
    let leftover = target.leftover().filter(|leftover| leftover.bytes > 0);
    let mut wanted = Part::from(part);
    let (mut complete, mut warning) = (None, None);
    if part.resume {
        let Some(description) = &description else {
            return Err(resume::impossible(source, &target, format).into());
        };
        let found = Complete::of(&target, format)?;
        if let Some(leftover) = leftover.as_ref().filter(|_| found.records > 0) {
            warning = description.check(leftover)?;
            wanted.skip += found.records;
            wanted.limit = wanted.limit.map(|limit| limit.saturating_sub(found.records));
            complete = Some(found);
        }
    }
    let reader = RecordReader::open_part(source, input_format, wanted, needed)?;
    let writer = OrderedWriter::new(target, format);
    let limit = wanted.limit;
    Ok(Streams { reader, writer, format, terminal, limit, leftover, complete, description, warning })
}

impl Streams {
    /// Tells the model of the run, which an interrupted run must have used, too.
    pub fn with_model(mut self, checkpoint: &Checkpoint) -> Result<Self, Error> {
        if let Some(description) = &mut self.description {
            description.set_model(checkpoint)?;
        }
        self.checked()
    }

    /// As [`Self::with_model`], for a tokenizer alone.
    pub fn with_tokenizer(mut self, args: &ModelArgs) -> Result<Self, Error> {
        if let Some(description) = &mut self.description {
            description.set_tokenizer(args)?;
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        if let (Some(description), Some(leftover), Some(_)) =
            (&self.description, &self.leftover, self.complete)
        {
            description.check_model(leftover)?;
        }
        Ok(self)
    }

    /// Starts the output over, or behind the records of an interrupted run.
    fn start(&mut self, reporter: &Reporter) -> Result<(), Error> {
        if let Some(warning) = &self.warning {
            reporter.warn(warning);
        }
        match (&self.leftover, self.complete) {
            (Some(leftover), Some(complete)) => {
                let partial = leftover.path.display();
                reporter.note(&format!("continuing after the {} records in {partial}", complete.records));
            }
            (Some(leftover), None) => {
                let hint = leftover.description.as_ref().map_or("", |_| "; --resume would have continued it");
                let partial = leftover.path.display();
                reporter.note(&format!("replacing {partial}, which an interrupted run left{hint}"));
            }
            (None, _) => {}
        }
        let description = self.description.as_ref().map(Description::to_json);
        self.writer.start(self.complete.unwrap_or_default(), description.as_deref())
    }
}

/// Runs a task on all records.
pub fn run<T: Task>(
    task: &T,
    mut streams: Streams,
    on_error: OnErrorArg,
    batch_tokens: usize,
    reporter: &Reporter,
) -> Result<ExitStatus, Failure> {
    streams.start(reporter).while_running()?;
    let Streams { reader, writer, format, terminal, limit, complete, .. } = streams;
    let writer = SharedWriter::new(writer);
    close_on_interrupt(&writer).map_err(|source| Error::Io {
        path: "signals".into(),
        action: "watch",
        source,
    })?;
    let options = StreamOptions {
        batch_tokens,
        on_error: on_error.into(),
        format,
        color: reporter.wants_color(terminal),
    };
    let started = std::time::Instant::now();
    let mut observer = reporter.observer(StreamProgress::new(reader.progress(), limit));
    let result = stream::run(task, &reader, &writer, options, &mut observer);
    let broke_off = !matches!(&result, Ok(outcome) if !outcome.stopped);
    observer.end(!broke_off);
    drop(observer);
    let Some(writer) = writer.take() else {
        // An interrupt has taken the writer and is ending the process.
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
    }
    let outcome = result.while_running()?;
    if outcome.truncated > 1 {
        reporter.warn(&format!("{} texts were cut to the model's length", outcome.truncated));
    }
    reporter.detail(|| format!("{} records in {:.3} s", outcome.records, started.elapsed().as_secs_f64()));
    let failed = outcome.failed + complete.map_or(0, |complete| complete.failed);
    Ok(if failed == 0 { ExitStatus::Done } else { ExitStatus::SomeFailed })
}
