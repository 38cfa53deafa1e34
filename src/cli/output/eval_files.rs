//! Writes the files of `albert eval`.

use std::io::IsTerminal;
use std::path::Path;

use serde_json::{Value, json};

use albert::eval::{EvalReport, ScoredExample};
use albert::io::{Format, OutputTarget};
use albert::{Error, Result};

use super::eval_table::table;
use crate::cli::args::eval::EvalCommonArgs;
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};

/// The output files. They are opened before any work, so that a bad path fails immediately.
pub(crate) struct EvalFiles {
    report: OutputTarget,
    format: Format,
    predictions: Option<OutputTarget>,
    errors: Option<OutputTarget>,
}

impl EvalFiles {
    pub(crate) fn open(common: &EvalCommonArgs) -> Result<Self> {
        check_distinct(common)?;
        let other = |path: &Option<std::path::PathBuf>| match path {
            None => Ok(None),
            Some(path) => OutputTarget::open(Some(path)).map(Some),
        };
        let terminal = common.output.output.is_none() && std::io::stdout().is_terminal();
        Ok(Self {
            report: OutputTarget::open(common.output.output.as_deref())?,
            format: common.output.format.resolve(terminal),
            predictions: other(&common.predictions)?,
            errors: other(&common.errors)?,
        })
    }

    pub(crate) fn write(
        self,
        report: &EvalReport,
        common: &EvalCommonArgs,
    ) -> std::result::Result<ExitStatus, Failure> {
        self.write_all(report, &common.data).while_running()?;
        Ok(ExitStatus::Done)
    }

    fn write_all(mut self, report: &EvalReport, data: &Path) -> Result<()> {
        if let Some(out) = self.predictions {
            write_judged(out, report.scored.iter())?;
        }
        if let Some(out) = self.errors {
            write_judged(out, report.scored.iter().filter(|scored| scored.correct == Some(false)))?;
        }
        let text = match self.format {
            Format::Text => table(&data.display().to_string(), report),
            _ => format!("{}\n", report.json()),
        };
        self.report.write(text.as_bytes())?;
        self.report.finish()?;
        Ok(())
    }
}

/// Checks that no output replaces the data or another output.
///
/// # Errors
/// [`Error::InvalidOption`] naming the option.
fn check_distinct(common: &EvalCommonArgs) -> Result<()> {
    let outputs = [
        ("output", common.output.output.as_deref()),
        ("predictions", common.predictions.as_deref()),
        ("errors", common.errors.as_deref()),
    ];
    let mut files = vec![("data", common.data.as_path())];
    for (name, path) in outputs.into_iter().filter_map(|(name, path)| path.map(|path| (name, path))) {
        for (other, file) in &files {
            if OutputTarget::is_same_file(path, file)? {
                return Err(Error::InvalidOption {
                    name: name.to_owned(),
                    problem: format!("is the same file as --{other}"),
                });
            }
        }
        files.push((name, path));
    }
    Ok(())
}

fn write_judged<'a>(mut out: OutputTarget, scored: impl Iterator<Item = &'a ScoredExample>) -> Result<()> {
    for ScoredExample { place, fields, correct } in scored {
        let mut fields = fields.clone();
        if let Some(correct) = correct {
            fields.insert("correct".to_owned(), json!(correct));
        }
        fields.insert("place".to_owned(), json!(place));
        out.write(format!("{}\n", Value::Object(fields)).as_bytes())?;
    }
    out.finish()?;
    Ok(())
}
