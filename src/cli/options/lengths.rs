//! Limits of text length from arguments.

use albert::Result;
use albert::tasks::LengthOptions;
use albert::tokenizer::Tokenizer;

use crate::cli::args::common::LengthArgs;
use crate::cli::output::report::Reporter;

/// The lengths of a task without windows.
pub(crate) fn lengths(args: &LengthArgs) -> LengthOptions {
    LengthOptions {
        max_length: args.max_length.map(|n| n as usize),
        default: usize::MAX,
        long: args.long,
        windows: false,
        own: None,
    }
}

/// The lengths of a task that can read long text in windows.
pub(crate) fn length_options_with_windows(args: &LengthArgs) -> LengthOptions {
    LengthOptions { windows: true, ..lengths(args) }
}

/// [`LengthOptions::longest`], with a verbose message about what limits the rows.
///
/// # Errors
/// Errors of [`LengthOptions::longest`].
pub(super) fn longest(
    lengths: &LengthOptions,
    positions: usize,
    tokenizer: &Tokenizer,
    reporter: &Reporter,
) -> Result<usize> {
    let longest = lengths.longest(positions, tokenizer)?;
    reporter.lengths(longest, tokenizer.truncation_side());
    Ok(longest.tokens)
}
