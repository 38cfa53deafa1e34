//! Arguments of `albert train-tokenizer`.

use std::path::PathBuf;

use clap::Args;

use super::corpus::CorpusArgs;

/// Train a tokenizer on text
///
/// Trains a SentencePiece unigram model in lower case without accents (see --keep-accents), like ALBERT's: <pad>, <unk>, [CLS], [SEP] and [MASK]
/// have ids 0 to 4, and ( ) " - . – £ € are always separate pieces. Writes spiece.model, tokenizer.json,
/// tokenizer_config.json and special_tokens_map.json into a new directory that transformers loads. The directory appears
/// once it is complete. The same corpus and options give the same files.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert train-tokenizer --corpus news.txt --output ./my-tokenizer --vocab-size 8000
  cat texts.jsonl | albert train-tokenizer --corpus - --output ./my-tokenizer")]
pub(crate) struct TrainTokenizerArgs {
    #[command(flatten)]
    pub corpus: CorpusArgs,
    /// Directory to create
    #[arg(short, long, value_name = "DIR", help_heading = "Output")]
    pub output: PathBuf,
    /// Vocabulary size, including special tokens; smaller if the corpus has fewer pieces
    #[arg(long, value_name = "N", default_value = "30000", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Tokenizer")]
    pub vocab_size: u32,
    /// Fraction of the characters in the text that the vocabulary covers; the rest are unknown
    #[arg(long, value_name = "FRACTION", default_value = "0.99995", value_parser = coverage, help_heading = "Tokenizer")]
    pub character_coverage: f64,
    /// Keep accents and vowel signs, for languages such as Hindi and Thai
    #[arg(long, help_heading = "Tokenizer")]
    pub keep_accents: bool,
    /// Maximum text length in tokens of the models that will use it
    #[arg(long, value_name = "N", default_value = "512", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tokenizer")]
    pub max_length: u32,
    /// Bytes of text in which all words are counted; accepts K, M and G
    ///
    /// In a larger corpus, a random half of the lines in the next N bytes is counted, then a quarter, and so on, with
    /// corresponding weights. A corpus of any size is read completely, with little more memory and time.
    #[arg(long, value_name = "N", default_value = "1G", value_parser = bytes, help_heading = "Corpus")]
    pub sample_bytes: u64,
    /// Seed of the sampling
    #[arg(long, value_name = "N", default_value = "0", help_heading = "Corpus")]
    pub seed: u64,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Device")]
    pub threads: Option<u16>,
}

fn coverage(text: &str) -> Result<f64, String> {
    let coverage: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if coverage > 0.0 && coverage <= 1.0 {
        Ok(coverage)
    } else {
        Err("expected more than 0 and at most 1".to_owned())
    }
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
        assert_eq!(coverage("1"), Ok(1.0));
        for bad in ["0", "1.1", "nan", "x"] {
            assert!(coverage(bad).is_err(), "{bad}");
        }
    }
}
