//! Correlation and error of numbers, as scipy 1.16 (`pearsonr`, `spearmanr`) and scikit-learn (`mean_squared_error`,
//! `mean_absolute_error`).

/// Figures of predicted numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RegressionFigures {
    /// `None` where one side is constant, or there are fewer than two numbers.
    pub pearson: Option<f64>,
    /// The correlation of ranks, equal numbers sharing the mean of theirs; `None` as above.
    pub spearman: Option<f64>,
    /// The mean of the squared differences.
    pub mean_squared_error: f64,
    /// The mean of the differences without their sign.
    pub mean_absolute_error: f64,
}

/// Figures of `predicted` against `gold`.
pub fn regression(gold: &[f64], predicted: &[f64]) -> RegressionFigures {
    let count = gold.len().min(predicted.len());
    let (gold, predicted) = (&gold[..count], &predicted[..count]);
    let mean = |of: &dyn Fn(f64) -> f64| {
        gold.iter().zip(predicted).map(|(a, b)| of(a - b)).sum::<f64>() / count.max(1) as f64
    };
    RegressionFigures {
        pearson: pearson(gold, predicted),
        spearman: pearson(&ranks(gold), &ranks(predicted)),
        mean_squared_error: mean(&|apart| apart * apart),
        mean_absolute_error: mean(&f64::abs),
    }
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if a.len() < 2 || constant(a) || constant(b) || a.iter().chain(b).any(|value| !value.is_finite()) {
        return None;
    }
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect()
    };
    let (a, b) = (centred(a), centred(b));
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let (a_norm, b_norm) = (norm(&a), norm(&b));
    let product: f64 = a.iter().zip(&b).map(|(a, b)| (a / a_norm) * (b / b_norm)).sum();
    product.is_finite().then(|| product.clamp(-1.0, 1.0))
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + (equal.len() as f64 + 1.0) / 2.0;
        for place in equal {
            ranks[*place] = rank;
        }
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }

    #[test]
    fn nothing_correlates_with_a_constant() {
        let found = regression(&[1.0, 2.0], &[3.0, 3.0]);
        assert_eq!((found.pearson, found.spearman), (None, None));
        assert_eq!((found.mean_squared_error, found.mean_absolute_error), (2.5, 1.5));
        assert_eq!(regression(&[], &[]).mean_squared_error, 0.0);
        assert_eq!(regression(&[f64::NAN, 1.0], &[1.0, 2.0]).pearson, None);
    }
}
