//! `albert tokenize`.

use albert::Error;
use albert::error::count;
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
    let max_length = args.max_length.map(|n| n as usize);
    let special = tokenizer.num_special_tokens(false);
    if max_length.is_some_and(|length| length < special) {
        return Err(Error::InvalidOption {
            name: "max_length".to_owned(),
            problem: format!(
                "the minimum is {special}, since a text has {}",
                count(special, "special token")
            ),
        }
        .into());
    }
    let task = Tokenize { tokenizer, max_length, fields: args.input.fields() };
    streaming::run(&task, streams, args.input.records.on_error, BATCH_TOKENS, reporter)
}
