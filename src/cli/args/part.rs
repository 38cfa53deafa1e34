//! Arguments that select a part of the records or resume an interrupted run.

use clap::Args;

use albert::io::{Part, Shard};

/// A part of the records of an input.
#[derive(Args, Clone, Copy, Debug)]
pub struct PartArgs {
    /// Skip the first N records
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        hide_default_value = true,
        help_heading = "Large inputs"
    )]
    pub skip: u64,
    /// Process at most N records
    #[arg(long, value_name = "N", help_heading = "Large inputs")]
    pub limit: Option<u64>,
    /// Process the I-th of N parts of the input file
    ///
    /// The file is split by bytes at the ends of lines or rows, and Parquet by row groups. The outputs of all parts, one
    /// after the other, equal the output of a single run, so only the first part of a CSV or TSV output has a header. Needs
    /// --input FILE with one record per line, or a table. --skip and --limit apply to the records of the part.
    #[arg(long, value_name = "I/N", value_parser = str::parse::<Shard>, help_heading = "Large inputs")]
    pub shard: Option<Shard>,
    /// Continue the interrupted run that left FILE.partial next to --output FILE
    ///
    /// Input, model and options must be the same. Works for JSON lines, CSV, TSV and .npy, with --input FILE. Starts from the
    /// beginning if there is no FILE.partial.
    #[arg(long, help_heading = "Large inputs")]
    pub resume: bool,
    /// Write several files of N records each: FILE-00001, FILE-00002, and so on
    ///
    /// The number comes before the extension of --output FILE. Each file is complete in its format. No existing file is
    /// replaced.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Large inputs")]
    pub records_per_file: Option<u64>,
}

impl From<PartArgs> for Part {
    fn from(args: PartArgs) -> Self {
        Self { shard: args.shard, skip: args.skip, limit: args.limit }
    }
}
