//! Regression metrics: SciPy's correlations, and mean errors.

use super::mean;

/// Agreement of predicted and gold values.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RegressionFigures {
    /// Linear correlation (`scipy.stats.pearsonr`); `None` if one side is constant, if there are fewer than two values, or if
    /// a value is NaN.
    pub pearson: Option<f64>,
    /// Correlation of the ranks, with average ranks for ties (`scipy.stats.spearmanr`); `None` in the same cases as
    /// `pearson`.
    pub spearman: Option<f64>,
    /// Mean squared error; 0 without values.
    pub mean_squared_error: f64,
    /// Mean absolute error; 0 without values.
    pub mean_absolute_error: f64,
}

/// Compares values pairwise. If one side is longer, its excess is ignored.
pub fn regression(gold: &[f64], predicted: &[f64]) -> RegressionFigures {
    let count = gold.len().min(predicted.len());
    let (gold, predicted) = (&gold[..count], &predicted[..count]);
    let differences = || gold.iter().zip(predicted).map(|(g, p)| p - g);
    RegressionFigures {
        pearson: pearson(gold, predicted),
        spearman: spearman(gold, predicted),
        mean_squared_error: mean(differences().map(|d| d * d)),
        mean_absolute_error: mean(differences().map(f64::abs)),
    }
}

/// Returns true if all values are equal, or there is at most one.
fn constant(values: &[f64]) -> bool {
    values.iter().all(|v| Some(v) == values.first())
}

/// The linear correlation, clamped to -1..1, and exactly -1 or 1 for two pairs, as in SciPy.
fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    if constant(x) || constant(y) {
        return None;
    }
    let (x, y) = (direction(x), direction(y));
    let r = x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>().clamp(-1.0, 1.0);
    let r = if x.len() == 2 { r.round() } else { r };
    r.is_finite().then_some(r)
}

/// The deviations from the mean, as a unit vector. Dividing by the largest one first keeps the squares of very large
/// values finite.
fn direction(values: &[f64]) -> Vec<f64> {
    let middle = mean(values.iter().copied());
    let mut values: Vec<f64> = values.iter().map(|v| v - middle).collect();
    let largest = values.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    let norm = largest * values.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt();
    for v in &mut values {
        *v /= norm;
    }
    values
}

/// The linear correlation of the ranks.
fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.iter().chain(y).any(|v| v.is_nan()) || constant(x) || constant(y) {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

/// Ranks from 1, with average ranks for ties (`scipy.stats.rankdata`).
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equals in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let shared = before as f64 + (equals.len() + 1) as f64 / 2.0;
        for i in equals {
            ranks[*i] = shared;
        }
        before += equals.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_rank() {
        assert_eq!(ranks(&[2.0, -0.0, 0.0, 5.0, 2.0, 2.0]), [4.0, 1.5, 1.5, 6.0, 4.0, 4.0]);
    }

    #[test]
    fn constants_and_single_values_have_no_correlation() {
        for (gold, predicted) in [(&[][..], &[][..]), (&[1.0], &[2.0]), (&[1.0, 1.0], &[1.0, 2.0])] {
            let metrics = regression(gold, predicted);
            assert_eq!((metrics.pearson, metrics.spearman), (None, None));
            assert!(metrics.mean_squared_error.is_finite() && metrics.mean_absolute_error.is_finite());
        }
    }

    #[test]
    fn nan_has_no_correlation() {
        let metrics = regression(&[1.0, f64::NAN, 2.0], &[1.0, 2.0, 3.0]);
        assert_eq!((metrics.pearson, metrics.spearman), (None, None));
        let metrics = regression(&[1.0, f64::INFINITY, 2.0], &[1.0, 3.0, 2.0]);
        assert_eq!(metrics.pearson, None);
        assert!(metrics.spearman.is_some_and(|r| (r - 1.0).abs() < 1e-12));
    }

    #[test]
    fn very_large_numbers_stay_finite() {
        assert_eq!(regression(&[-5e210, 5e210], &[1e-300, 2e-300]).pearson, Some(1.0));
    }
}
