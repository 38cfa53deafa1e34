//! Messages on stderr: errors, warnings, progress. The only module that writes to stderr.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use albert::Error;
use albert::error::location;
use albert::stream::Observer;
use albert::tasks::Longest;
use albert::tokenizer::TruncationSide;

use super::stream_progress::{Pace, StreamProgress};
use super::wording;
use crate::cli::args::common::{GlobalArgs, ProgressArg, When};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Writes to stderr according to the global options.
#[derive(Clone)]
pub(crate) struct Reporter {
    quiet: bool,
    verbose: bool,
    color: bool,
    /// The value of `--color`, for output other than stderr.
    when: When,
    progress: bool,
    /// True for `--progress json`.
    json: bool,
    /// The active progress bar, which is suspended while lines are printed.
    bar: RefCell<ProgressBar>,
    truncation_reported: Cell<bool>,
    replacement_reported: Cell<bool>,
    text_reported: Cell<bool>,
}

impl Reporter {
    /// Creates a reporter for these options.
    pub(crate) fn new(args: &GlobalArgs) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let progress = match args.progress {
            ProgressArg::Always => true,
            ProgressArg::Never | ProgressArg::Json => false,
            // There is no bar if the results appear on the same terminal.
            ProgressArg::Auto => terminal && !args.quiet && !std::io::stdout().is_terminal(),
        };
        Self {
            quiet: args.quiet,
            verbose: args.verbose,
            color: wants_color(args.color, terminal, no_color()),
            when: args.color,
            progress,
            json: args.progress == ProgressArg::Json,
            bar: RefCell::new(ProgressBar::hidden()),
            truncation_reported: Cell::new(false),
            replacement_reported: Cell::new(false),
            text_reported: Cell::new(false),
        }
    }

    /// Creates a reporter that prints only errors.
    pub(crate) fn silent() -> Self {
        Self {
            quiet: true,
            verbose: false,
            color: false,
            when: When::Never,
            progress: false,
            json: false,
            bar: RefCell::new(ProgressBar::hidden()),
            truncation_reported: Cell::new(false),
            replacement_reported: Cell::new(false),
            text_reported: Cell::new(false),
        }
    }

    /// Returns true if an output may be colored, given whether it is a terminal.
    pub(crate) fn wants_color(&self, terminal: bool) -> bool {
        wants_color(self.when, terminal, no_color())
    }

    /// Prints an error.
    pub(crate) fn error(&self, error: &Error) {
        self.line("error", ERROR, &wording::message(error));
    }

    /// Prints a warning, unless `--quiet` is given.
    pub(crate) fn warn(&self, message: &str) {
        if !self.quiet {
            self.line("warning", WARNING, &wording::rephrase_error(message));
        }
    }

    /// Prints a plain line, unless `--quiet` is given.
    pub(crate) fn note(&self, message: &str) {
        if !self.quiet {
            self.plain(message);
        }
    }

    /// Prints a line if `--verbose` is given.
    pub(crate) fn detail(&self, message: impl FnOnce() -> String) {
        if self.verbose {
            self.plain(&message());
        }
    }

    /// Prints what limits the length of texts, if `--verbose` is given.
    pub(crate) fn lengths(&self, longest: Longest, side: TruncationSide) {
        let (tokens, source) = (longest.tokens, longest.source);
        self.detail(|| {
            format!("texts have at most {tokens} tokens ({source}) and are cut on the {}", side.name())
        });
    }

    /// Returns true if `--verbose` is given.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Prints a line from a library unchanged.
    pub(crate) fn foreign(&self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    fn plain(&self, message: &str) {
        self.write(&format!("albert: {}\n", wording::rephrase_error(message)));
    }

    fn line(&self, kind: &str, style: Style, message: &str) {
        let (on, off) = if self.color {
            (style.render().to_string(), style.render_reset().to_string())
        } else {
            (String::new(), String::new())
        };
        self.write(&format!("albert: {on}{kind}:{off} {message}\n"));
    }

    fn write(&self, text: &str) {
        self.bar.borrow().suspend(|| {
            // A failure to write to stderr cannot be reported.
            let _unwritable = std::io::stderr().write_all(text.as_bytes());
        });
    }

    /// Returns an observer that counts the records of a stream, with a progress bar if enabled.
    pub(crate) fn observer(&self, progress: StreamProgress) -> StreamObserver<'_> {
        if self.progress {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {pos} records, {per_sec}, {elapsed}{msg}")
            {
                bar.set_style(style);
            }
            self.bar.replace(bar);
        }
        StreamObserver { reporter: self, progress, pace: Pace::new(), records: 0, failed: 0 }
    }

    /// Prints a line of `--progress json`.
    pub(crate) fn progress_line(&self, line: &impl serde::Serialize) {
        if let Ok(line) = serde_json::to_string(line) {
            self.write(&format!("{line}\n"));
        }
    }

    /// Returns true for `--progress json`.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Returns a bar for bytes, whose total is set later.
    pub(crate) fn bytes_bar(&self, what: &'static str) -> ProgressBar {
        self.bar("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}", what)
    }

    /// Returns a bar for steps, whose total is set later.
    pub(crate) fn steps_bar(&self, what: &'static str) -> ProgressBar {
        self.bar("{msg} {bar:30} {pos}/{len} {per_sec} {eta} left", what)
    }

    /// Returns a bar for training steps, whose total is set later.
    pub(crate) fn training_bar(&self) -> ProgressBar {
        self.bar("{bar:20} {pos}/{len} {msg}  {per_sec}  {eta} left", "")
    }

    fn bar(&self, template: &str, message: &'static str) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(message);
        bar
    }

    /// Returns a bar for a download of `total` bytes, of which `already` bytes are present.
    #[cfg(feature = "hub")]
    pub(crate) fn download_bar(&self, file: &str, total: Option<u64>, already: u64) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        {
            bar.set_style(style);
        }
        bar.set_message(file.to_owned());
        bar.set_position(already);
        bar
    }
}

/// Returns true if colors are not wanted (`NO_COLOR`) or not supported. Old Windows consoles must enable them first.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
        || anstyle_query::windows::enable_ansi_colors() == Some(false)
}

fn wants_color(when: When, terminal: bool, no_color: bool) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && !no_color,
    }
}

/// Reports the progress of a stream.
pub(crate) struct StreamObserver<'a> {
    reporter: &'a Reporter,
    progress: StreamProgress,
    pace: Pace,
    records: u64,
    failed: u64,
}

impl StreamObserver<'_> {
    /// Reports the end of the stream. `finished` is false if it was aborted.
    pub(crate) fn end(&mut self, finished: bool) {
        if self.reporter.json {
            let line = self.progress.line(self.records, self.failed, self.pace.seconds(), finished);
            self.reporter.progress_line(&line);
        }
    }

    fn show(&mut self) {
        let seconds = self.pace.seconds();
        if self.reporter.json && self.pace.is_due() {
            self.reporter.progress_line(&self.progress.line(self.records, self.failed, seconds, false));
        }
        if self.reporter.progress {
            let left = self.progress.seconds_left(self.records + self.failed, seconds);
            let left = left.and_then(|left| Duration::try_from_secs_f64(left).ok());
            let message = left.map_or_else(String::new, |left| format!(", {} left", HumanDuration(left)));
            let bar = self.reporter.bar.borrow();
            bar.set_message(message);
            bar.set_position(self.records);
        }
    }
}

impl Observer for StreamObserver<'_> {
    fn record_failed(&mut self, error: &Error) {
        self.failed += 1;
        self.reporter.error(error);
    }

    fn record_truncated(&mut self, source: &str, line: u64, is_marked: bool) {
        if !self.reporter.truncation_reported.replace(true) {
            let mark = if is_marked { "; such records have \"truncated\": true" } else { "" };
            self.reporter.warn(&format!(
                "{}: the text is longer than the model takes and was cut{mark} (reported once)",
                location(source, line)
            ));
        }
    }

    fn unexpected_text(&mut self, source: &str, line: u64) {
        if !self.reporter.text_reported.replace(true) {
            self.reporter.warn(&format!(
                "{}: not a JSON object, so it is read as text; option input_format=jsonl makes this an error (reported once)",
                location(source, line)
            ));
        }
    }

    fn field_replaced(&mut self, source: &str, line: u64, name: &str) {
        if !self.reporter.replacement_reported.replace(true) {
            self.reporter.warn(&format!(
                "{source}:{line}: the field \"{name}\" of the input is replaced by that of the output (reported once)"
            ));
        }
    }

    fn finished(&mut self, records: u64) {
        self.records = records;
        self.show();
    }
}

impl Drop for StreamObserver<'_> {
    fn drop(&mut self) {
        self.reporter.bar.borrow().finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_it_is_wanted() {
        assert!(wants_color(When::Auto, true, false));
        assert!(!wants_color(When::Auto, false, false));
        assert!(!wants_color(When::Auto, true, true));
        assert!(wants_color(When::Always, false, true));
        assert!(!wants_color(When::Never, true, false));
    }
}
