//! Converts arguments to limits of text length.

use albert::tasks::{LengthOptions, OverflowStrategy};

use crate::cli::args::common::{LengthArgs, WithoutWindows};

/// Returns the length options of a task without windows.
pub(crate) fn lengths(args: &LengthArgs<WithoutWindows>) -> LengthOptions {
    options(args.max_length, args.long.into(), false)
}

/// Returns the length options of a task that can read long text in windows.
pub(crate) fn length_options_with_windows(args: &LengthArgs<OverflowStrategy>) -> LengthOptions {
    options(args.max_length, args.long, true)
}

fn options(max_length: Option<u32>, long: OverflowStrategy, windows: bool) -> LengthOptions {
    LengthOptions {
        max_length: max_length.map(|n| n as usize),
        default: usize::MAX,
        long,
        windows,
        own: None,
    }
}
