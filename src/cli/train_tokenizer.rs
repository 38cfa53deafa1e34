//! `albert train-tokenizer` (placeholder until it is merged).

use std::path::Path;
use std::sync::atomic::AtomicBool;

use albert::training::corpus::CorpusReport;
use albert::{Error, Result};

use super::pretrain_args::PretrainArgs;
use super::report::Reporter;

pub fn into(_folder: &Path, _args: &PretrainArgs, _reporter: &Reporter, _stop: &AtomicBool) -> Result<bool> {
    Err(Error::Usage { flag: "--tokenizer".to_owned(), problem: "is needed".to_owned() })
}

pub fn tell(report: &CorpusReport, reporter: &Reporter) {
    for problem in &report.problems {
        reporter.warn(&problem.to_string());
    }
}
