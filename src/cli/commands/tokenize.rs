//! `albert tokenize`.

use albert::tasks::Tokenize;

use crate::cli::args::tokenize::TokenizeArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::{options, streaming};

/// Nothing is computed, so a batch can be as large as a window.
const BATCH_TOKENS: usize = 1 << 24;

pub(super) fn run(args: TokenizeArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let streams = streaming::open_texts(&args.input, &args.output)?.with_tokenizer(&args.model)?;
    let tokenizer = options::tokenizer(&args.model, reporter)?;
    let task =
        Tokenize { tokenizer, max_length: args.max_length.map(|n| n as usize), fields: args.input.fields() };
    streaming::run(&task, streams, args.input.records.on_error, BATCH_TOKENS, reporter)
}
