//! The arguments of training as typed: clap types only.

use std::path::PathBuf;

use clap::Args;

/// Where text to learn from is.
#[derive(Args, Debug)]
pub struct CorpusArgs {
    /// Files or folders of text, - for standard input
    ///
    /// Text (.txt): a sentence or a paragraph a line, a blank line between documents. JSON lines (.jsonl): a
    /// document a record, see --text-field. Either may be compressed (.gz, .zst). Of folders all files with
    /// these endings are read, those in folders below too, in the order of their names; a file named itself
    /// may be called anything. What is damaged is left out or repaired, and reported.
    #[arg(long, value_name = "PATH", required = true, num_args = 1.., help_heading = "Corpus")]
    pub corpus: Vec<PathBuf>,
    /// JSON field that holds the text of a document
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Corpus")]
    pub text_field: String,
}

/// Train a tokenizer on text
///
/// A SentencePiece unigram model in lower case without accents, as ALBERT's: <pad>, <unk>, [CLS], [SEP] and
/// [MASK] have the ids 0 to 4, and ( ) " - . – £ € are always pieces of their own. Writes spiece.model,
/// tokenizer.json, tokenizer_config.json and special_tokens_map.json into a new directory, which appears when
/// it is whole; transformers loads it. The same corpus and options give the same files.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert train-tokenizer --corpus news.txt --output ./my-tokenizer --vocab-size 8000
  cat texts.jsonl | albert train-tokenizer --corpus - --output ./my-tokenizer")]
pub struct TrainTokenizerArgs {
    #[command(flatten)]
    pub corpus: CorpusArgs,
    /// A new directory
    #[arg(short, long, value_name = "DIR", help_heading = "Output")]
    pub output: PathBuf,
    /// Pieces, special ones included; fewer if the corpus has no more
    #[arg(long, value_name = "N", default_value = "30000", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Tokenizer")]
    pub vocab_size: u32,
    /// Share of the text's characters that get pieces of their own; the others are unknown
    #[arg(long, value_name = "SHARE", default_value = "0.99995", value_parser = share, help_heading = "Tokenizer")]
    pub character_coverage: f64,
    /// Longest text in tokens of the models it is for
    #[arg(long, value_name = "N", default_value = "512", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tokenizer")]
    pub max_length: u32,
    /// Bytes of text in which all words are counted; a number with K, M or G
    ///
    /// Of a larger corpus every second line of as much again is counted, drawn at random, then every fourth, and
    /// so on, each for as many: any size is read in full and takes little more memory and time.
    #[arg(long, value_name = "N", default_value = "1G", value_parser = bytes, help_heading = "Corpus")]
    pub sample_bytes: u64,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value = "0", help_heading = "Corpus")]
    pub seed: u64,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Device")]
    pub threads: Option<u16>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err("expected more than 0 and at most 1".to_owned()) }
}

/// "64M" is 64 MiB.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "expected a number of bytes, like 500000000 or 64M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares() {
        assert_eq!(bytes("12"), Ok(12));
        assert_eq!(bytes("2k"), Ok(2048));
        assert_eq!(bytes("3G"), Ok(3 << 30));
        for bad in ["", "G", "0", "-1", "1.5M", "99999999999999G", "1T"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(share("1"), Ok(1.0));
        for bad in ["0", "1.1", "nan", "x"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
