//! Holds out a part of the data for evaluation.

use std::path::Path;

use super::examples::Examples;
use super::spool::{Spool, Stored};
use crate::error::Result;

/// Separates about `share` of `examples` from the others. Returns the others, in a spool with its file in `directory`,
/// and the held-out part. Examples with the same `key` stay together, and the choice depends only on the keys.
///
/// # Errors
/// [`crate::Error::Io`] for the temporary files.
pub fn hold_out<T: Stored + Clone>(
    examples: &Spool<T>,
    directory: &Path,
    share: f64,
    key: impl Fn(&T) -> String,
) -> Result<(Spool<T>, Vec<T>)> {
    /// Number of hash buckets.
    const PLACES: f64 = 4_294_967_296.0;
    let (mut kept, mut held) = (Spool::new(directory), Vec::new());
    for example in examples.iter() {
        let example = example?;
        if f64::from(crc32c::crc32c(key(&example).as_bytes())) >= share * PLACES {
            kept.add(example)?;
        } else {
            held.push(example);
        }
    }
    Ok((kept, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Place, TokenExample};

    fn spool(count: u64) -> Spool<TokenExample> {
        let mut spool = Spool::new(Path::new("."));
        for line in 0..count {
            let place = Place { source: "a".into(), line };
            spool.add(TokenExample { place, words: Vec::new(), tags: Vec::new() }).expect("adds");
        }
        spool
    }

    #[test]
    fn about_the_share_and_equal_keys_together() {
        let key = |example: &TokenExample| format!("text {}", example.place.line / 2);
        let (kept, held) = hold_out(&spool(20_000), Path::new("."), 0.1, key).expect("separates");
        assert!((1_700..2_300).contains(&held.len()), "{}", held.len());
        assert_eq!(kept.count() + held.len(), 20_000);
        let lines: Vec<u64> = held.iter().map(|example| example.place.line).collect();
        assert!(lines.iter().all(|line| lines.contains(&(line ^ 1))));
        let (kept, held) = hold_out(&spool(2), Path::new("."), 0.0, key).expect("separates");
        assert_eq!((kept.count(), held.len()), (2, 0));
    }
}
