//! Converts arguments to limits of text length.

use albert::tasks::LengthOptions;

use crate::cli::args::common::LengthArgs;

/// Returns the length options of a task without windows.
pub(crate) fn lengths(args: &LengthArgs) -> LengthOptions {
    LengthOptions {
        max_length: args.max_length.map(|n| n as usize),
        default: usize::MAX,
        long: args.long,
        windows: false,
        own: None,
    }
}

/// Returns the length options of a task that can read long text in windows.
pub(crate) fn length_options_with_windows(args: &LengthArgs) -> LengthOptions {
    LengthOptions { windows: true, ..lengths(args) }
}
