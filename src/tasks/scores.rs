//! Converts logits to scores.

/// Applies softmax in place.
pub(crate) fn softmax(values: &mut [f32]) {
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f64;
    for v in values.iter_mut() {
        *v = (*v - highest).exp();
        sum += f64::from(*v);
    }
    let scale = (1.0 / sum) as f32;
    for v in values.iter_mut() {
        *v *= scale;
    }
}

/// Applies the sigmoid function in place.
pub(crate) fn sigmoid(values: &mut [f32]) {
    for v in values {
        *v = 1.0 / (1.0 + (-*v).exp());
    }
}

/// Returns the index of the largest value, the first one for ties; `None` without values.
pub(crate) fn argmax(values: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (i, v) in values.iter().enumerate() {
        if best.is_none_or(|(_, b)| *v > b) {
            best = Some((i, *v));
        }
    }
    best.map(|(i, _)| i)
}

/// Returns the indices of the `k` largest values in descending order. Ties keep their order.
pub(crate) fn top_k(values: &[f32], k: usize) -> Vec<usize> {
    let k = k.min(values.len());
    if k == 0 {
        return Vec::new();
    }
    let better = |a: &usize, b: &usize| values[*b].total_cmp(&values[*a]).then(a.cmp(b));
    let mut order: Vec<usize> = (0..values.len()).collect();
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, better);
        order.truncate(k);
    }
    order.sort_unstable_by(better);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_ties_keep_their_order() {
        let values = [0.1, 0.5, 0.3, 0.5, 0.2];
        assert_eq!(top_k(&values, 3), [1, 3, 2]);
        assert_eq!(top_k(&values, 99), [1, 3, 2, 4, 0]);
        assert_eq!(top_k(&values, 0), [] as [usize; 0]);
        assert_eq!(argmax(&values), Some(1));
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn softmax_survives_large_logits() {
        let mut values = [1000.0, 1000.0, -1000.0];
        softmax(&mut values);
        assert_eq!(values, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn sigmoid_survives_large_logits() {
        let mut values = [1000.0, 0.0, -1000.0];
        sigmoid(&mut values);
        assert_eq!(values, [1.0, 0.5, 0.0]);
    }
}
