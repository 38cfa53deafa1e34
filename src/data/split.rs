//! Holding out a part of the data for evaluation.

/// Removes about `share` of `examples` and returns it. Examples with the same `key` stay together, and the choice depends only
/// on the keys.
pub fn hold_out<T>(examples: Vec<T>, share: f64, key: impl Fn(&T) -> String) -> (Vec<T>, Vec<T>) {
    /// Number of hash buckets.
    const PLACES: f64 = 4_294_967_296.0;
    examples
        .into_iter()
        .partition(|example| f64::from(crc32c::crc32c(key(example).as_bytes())) >= share * PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_and_equal_keys_together() {
        let examples: Vec<usize> = (0..20_000).collect();
        let (kept, held) = hold_out(examples, 0.1, |i| format!("text {}", i / 2));
        assert!((1_700..2_300).contains(&held.len()), "{}", held.len());
        assert_eq!(kept.len() + held.len(), 20_000);
        assert!(held.iter().all(|i| held.contains(&(i ^ 1))));
        let (kept, held) = hold_out(vec![1, 2], 0.0, ToString::to_string);
        assert_eq!((kept.len(), held.len()), (2, 0));
    }
}
