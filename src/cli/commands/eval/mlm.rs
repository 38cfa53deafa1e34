//! `albert eval mlm`.

use std::io::IsTerminal;

use albert::checkpoint::MlmBias;
use albert::io::{Format, OutputTarget};
use albert::tasks::{LengthOptions, OverflowStrategy};
use albert::training::TextEvaluation;
use albert::training::corpus::CorpusOptions;

use crate::cli::args::eval::EvalMlmArgs;
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::options;
use crate::cli::output::corpus_report;
use crate::cli::output::eval_table::table;
use crate::cli::output::report::Reporter;

pub(super) fn run(args: &EvalMlmArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let terminal = args.output.output.is_none() && std::io::stdout().is_terminal();
    let format = args.output.format.resolve(terminal);
    let mut out = OutputTarget::open(args.output.output.as_deref())?;
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let lengths = LengthOptions {
        max_length: Some(args.max_seq_length as usize),
        default: usize::MAX,
        long: OverflowStrategy::Truncate,
        windows: false,
        own: None,
    };
    let device = args.device.for_input(&args.corpus.corpus, &[]);
    let heads = TextEvaluation::heads(&checkpoint)?;
    let ready = options::load(&checkpoint, heads, MlmBias::default(), &device, lengths, reporter)?;
    let evaluation = TextEvaluation {
        corpus: args.corpus.corpus.clone(),
        options: CorpusOptions { text_field: args.corpus.text_field.clone(), ..CorpusOptions::default() },
        rows: args.rows as usize,
        seed: args.device.seed.unwrap_or(1),
    };
    let bar = reporter.bytes_bar("tokenizing");
    let rows = evaluation.prepare(&ready.pipeline, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let rows = rows?;
    corpus_report::warn(rows.corpus_report(), reporter);
    let report = rows.run().while_running()?;
    let text = match format {
        Format::Text => table("corpus", &report),
        _ => format!("{}\n", report.json()),
    };
    out.write(text.as_bytes()).while_running()?;
    out.finish().while_running()?;
    Ok(ExitStatus::Done)
}
