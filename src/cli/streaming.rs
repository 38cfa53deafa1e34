//! Code shared by all tasks that read records: input, output, interrupts, exit status.

use std::io::IsTerminal;
use std::path::Path;

use albert::Error;
use albert::io::{Format, InputFormat, Needed, OrderedWriter, OutputTarget, RecordReader, Source};
use albert::stream::{self, SharedWriter, StreamOptions, Task};

use super::args::{InputArgs, OnErrorArg, OutputArgs};
use super::exit::{ExitStatus, Failure, WhileRunning};
use super::interrupt::close_on_interrupt;
use super::report::Reporter;

/// Input and output. They are opened before the model is loaded, so that a bad path fails immediately.
pub struct Streams {
    reader: RecordReader,
    writer: SharedWriter,
    format: Format,
    terminal: bool,
}

/// Opens the input and output of a task on texts.
pub fn open_texts(input: &InputArgs, output: &OutputArgs) -> Result<Streams, Failure> {
    let name = output.output.as_deref();
    open(&input.source()?, input.records.input_format.into(), &input.needed(), name, |terminal| {
        output.format.resolve(name, terminal)
    })
}

/// Opens input and output. A table must have the columns in `needed`. `format` receives whether the output is a terminal.
pub fn open(
    source: &Source,
    input_format: InputFormat,
    needed: &[Needed],
    output: Option<&Path>,
    format: impl FnOnce(bool) -> albert::Result<Format>,
) -> Result<Streams, Failure> {
    let terminal = output.is_none() && std::io::stdout().is_terminal();
    let format = format(terminal)?;
    let target = OutputTarget::open(output)?;
    let writer = SharedWriter::new(OrderedWriter::new(target, format));
    let reader = RecordReader::open_with(source, input_format, needed)?;
    Ok(Streams { reader, writer, format, terminal })
}

/// Runs a task on all records.
pub fn run<T: Task>(
    task: &T,
    streams: Streams,
    on_error: OnErrorArg,
    batch_tokens: usize,
    reporter: &Reporter,
) -> Result<ExitStatus, Failure> {
    let Streams { reader, writer, format, terminal } = streams;
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
    let mut observer = reporter.observer();
    let result = stream::run(task, &reader, &writer, options, &mut observer);
    drop(observer);
    let broke_off = !matches!(&result, Ok(outcome) if !outcome.stopped);
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
    Ok(if outcome.failed == 0 { ExitStatus::Done } else { ExitStatus::SomeFailed })
}
