//! Class weights for the loss.

/// Balanced class weights: the number of examples divided by the number of labels and by the number of the label's
/// examples (scikit-learn's `compute_class_weight`). A label without examples has weight 1.
pub fn balanced(counts: &[u64]) -> Vec<f32> {
    let all: u64 = counts.iter().sum();
    let weight = |count: &u64| match count {
        0 => 1.0,
        _ => (all as f64 / (counts.len() as f64 * *count as f64)) as f32,
    };
    counts.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn rare_labels_weigh_more() {
        assert_eq!(super::balanced(&[30, 10, 0]), [40.0 / 90.0, 40.0 / 30.0, 1.0]);
        assert_eq!(super::balanced(&[]), [0f32; 0]);
    }
}
