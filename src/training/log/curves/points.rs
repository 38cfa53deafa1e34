//! Preparation of points: smoothing, thinning, and removal of values that cannot be drawn.

use super::LARGEST;

/// A point in a chart.
pub(super) type Point = (f64, f64);

/// Runs of drawable points, separated by steps without a value.
pub(super) fn runs(points: &[(u64, f64)]) -> Vec<Vec<Point>> {
    let drawable = |value: f64| value.abs() <= LARGEST;
    points
        .split(|&(_, value)| !drawable(value))
        .filter(|run| !run.is_empty())
        .map(|run| run.iter().map(|&(step, value)| (step as f64, value)).collect())
        .collect()
}

/// The centered moving average of each run over a fiftieth of its points. Unlike an exponential average, it does not
/// lag behind.
pub(super) fn smooth(runs: &[Vec<Point>]) -> Vec<Vec<Point>> {
    let smooth_run = |run: &Vec<Point>| {
        // Long runs are first averaged in parts, which bounds the work.
        let run: Vec<Point> = run.chunks((run.len() / 2000).max(1)).map(mean).collect();
        let half = (run.len() / 100).max(3);
        // The same number of points on either side, fewer near the ends.
        let around = |i: usize| half.min(i).min(run.len() - 1 - i);
        (0..run.len()).map(|i| mean(&run[i - around(i)..=i + around(i)])).collect()
    };
    runs.iter().map(smooth_run).collect()
}

fn mean(points: &[Point]) -> Point {
    let count = points.len() as f64;
    let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    (sum.0 / count, sum.1 / count)
}

/// Reduces a run to the lowest and the highest point in each of `columns` parts of `0..=last`, in order.
pub(super) fn thin(run: &[Point], last: f64, columns: usize) -> Vec<Point> {
    if run.len() <= 2 * columns {
        return run.to_vec();
    }
    let column = |point: &Point| (point.0 / last * columns as f64) as usize;
    let mut out = Vec::with_capacity(2 * columns + 2);
    for part in run.chunk_by(|a, b| column(a) == column(b)) {
        let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
        let extremes = part.iter().min_by(by_value).zip(part.iter().max_by(by_value));
        let Some((&low, &high)) = extremes else { continue };
        match low.0.total_cmp(&high.0) {
            std::cmp::Ordering::Less => out.extend([low, high]),
            std::cmp::Ordering::Equal => out.push(low),
            std::cmp::Ordering::Greater => out.extend([high, low]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_split_runs() {
        let points = [(1, f64::NAN), (2, 1.0), (3, 2.0), (4, f64::INFINITY), (5, 1e31), (6, 3.0)];
        assert_eq!(runs(&points), [vec![(2.0, 1.0), (3.0, 2.0)], vec![(6.0, 3.0)]]);
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn averages_do_not_lag() {
        for length in [1, 2, 7, 500, 50_000] {
            let line: Vec<Point> = (0..length).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
            let smoothed = smooth(&[line]).concat();
            assert!(smoothed.len() <= 4000 && !smoothed.is_empty());
            assert!(smoothed.iter().all(|point| (point.1 - 2.0 * point.0).abs() < 1e-6));
        }
    }

    #[test]
    fn thinned_runs_keep_their_extremes() {
        let mut run: Vec<Point> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        run[5432].1 = 99.0;
        run[5433].1 = -99.0;
        let thinned = thin(&run, 9999.0, 100);
        assert!(thinned.len() <= 202);
        assert!(thinned.contains(&run[5432]) && thinned.contains(&run[5433]));
        assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(thin(&run[..200], 9999.0, 100), run[..200]);
    }
}
