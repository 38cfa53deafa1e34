//! Arguments for text corpora.

use std::path::PathBuf;

use clap::Args;

/// The corpus.
#[derive(Args, Debug)]
pub(crate) struct CorpusArgs {
    /// Files or folders of text (- for standard input)
    ///
    /// Text (.txt): one sentence or paragraph per line, a blank line between documents. JSON lines (.jsonl): one document per
    /// record, see --text-field. Both may be compressed (.gz, .zst). Folders are searched recursively for files with these
    /// extensions, in the order of their names. A file named directly may have any name. Damaged input is repaired or skipped,
    /// and reported.
    #[arg(long, value_name = "PATH", required = true, num_args = 1.., help_heading = "Corpus")]
    pub corpus: Vec<PathBuf>,
    /// JSON field with the text of a document
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Corpus")]
    pub text_field: String,
}
