//! Axes: limits, tick positions and labels.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// An axis from `low` to `high`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
    kind: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Steps,
    /// Linear values, with the number of decimals in labels.
    Linear(usize),
    Logarithmic,
}

impl Axis {
    /// Steps from 0 to `last`.
    pub(super) fn steps(last: u64) -> Self {
        let mut axis = Self::linear(0.0, last.max(1) as f64, 10);
        axis.ticks.retain(|tick| tick.fract() == 0.0);
        axis.kind = Scale::Steps;
        axis
    }

    /// Values from `low` to `high`, with a margin around them unless `exact`.
    pub(super) fn values(low: f64, high: f64, exact: bool) -> Self {
        let margin = match high - low {
            _ if exact => 0.0,
            0.0 if high == 0.0 => 1.0,
            0.0 => 0.1 * high.abs(),
            range => 0.05 * range,
        };
        Self::linear(low - margin, high + margin, 7)
    }

    /// Positive values on a logarithmic axis whose limits are powers of ten.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        let (low, high) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let every = ((high - low) / 5).max(1);
        let ticks = (low..=high).step_by(every as usize).map(|power| 10f64.powi(power)).collect();
        Self { low: 10f64.powi(low), high: 10f64.powi(high), ticks, kind: Scale::Logarithmic }
    }

    /// About `count` ticks at multiples of 1, 2 or 5 times a power of ten.
    fn linear(low: f64, high: f64, count: u32) -> Self {
        let rough = ((high - low) / f64::from(count)).max(f64::MIN_POSITIVE);
        let power = 10f64.powf(rough.log10().floor());
        let every =
            [1.0, 2.0, 5.0, 10.0].map(|f| f * power).into_iter().find(|e| *e >= rough).unwrap_or(rough);
        let (first, last) = ((low / every - 1e-9).ceil(), (high / every + 1e-9).floor());
        // Multiples of a tiny fraction of a value are indistinguishable.
        let ticks = if first.abs().max(last.abs()) < 1e12 {
            (0..=(last - first).max(0.0) as u32).map(|i| (first + f64::from(i)) * every).collect()
        } else {
            vec![low, high]
        };
        let decimals = (-every.log10().floor()).clamp(0.0, 12.0) as usize;
        Self { low, high, ticks, kind: Scale::Linear(decimals) }
    }

    fn label(&self, tick: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        match self.kind {
            Scale::Steps => step_label(tick),
            Scale::Logarithmic if (1e-3..1e5).contains(&tick) => format!("{tick}"),
            Scale::Logarithmic => format!("{tick:.0e}"),
            Scale::Linear(_) if tick == 0.0 => "0".to_owned(),
            Scale::Linear(decimals) if (1e-3..1e6).contains(&largest) => format!("{tick:.decimals$}"),
            Scale::Linear(_) => shorten(&format!("{tick:.2e}")),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let place = |value: f64| if self.kind == Scale::Logarithmic { value.log10() } else { value };
        let (low, high) = (place(self.low), place(self.high));
        let part = (place(*value) - low) / (high - low);
        // Values may lie outside an axis with fixed limits.
        from + (f64::from(to - from) * part.clamp(0.0, 1.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(tick: &f64) -> String {
        tick.to_string()
    }

    fn format_ext(&self, tick: &f64) -> String {
        self.label(*tick)
    }
}

/// Shortens `1.50e-4` to `1.5e-4`.
fn shorten(number: &str) -> String {
    match number.split_once('e') {
        Some((digits, power)) if digits.contains('.') => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => number.to_owned(),
    }
}

/// The label of a number of steps: `500`, `12.5k`, `1M`.
fn step_label(step: f64) -> String {
    match step {
        1e6.. => format!("{}M", step / 1e6),
        1e4.. => format!("{}k", step / 1e3),
        _ => format!("{step}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| axis.label(tick)).collect()
    }

    #[test]
    fn ticks_and_labels() {
        assert_eq!(labels(&Axis::values(0.0, 1.0, true)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::values(2.3, 9.8, true)), ["4", "6", "8"]);
        assert_eq!(labels(&Axis::values(0.0, 1.76e-3, true)), ["0", "0.0005", "0.0010", "0.0015"]);
        assert_eq!(labels(&Axis::values(0.0, 1e-5, true)), ["0", "2e-6", "4e-6", "6e-6", "8e-6", "1e-5"]);
        assert_eq!(labels(&Axis::values(-1e20, 1e20, true)), ["-1e20", "-5e19", "0", "5e19", "1e20"]);
        assert_eq!(
            labels(&Axis::logarithmic(0.02, 3e4)),
            ["0.01", "0.1", "1", "10", "100", "1000", "10000", "1e5"]
        );
        assert_eq!(labels(&Axis::logarithmic(1e-9, 1e12)), ["1e-9", "1e-5", "0.1", "1000", "1e7", "1e11"]);
        let steps = |last| labels(&Axis::steps(last));
        assert_eq!(steps(0), ["0", "1"]);
        assert_eq!(steps(3), ["0", "1", "2", "3"]);
        assert_eq!(steps(125_000), ["0", "20k", "40k", "60k", "80k", "100k", "120k"]);
        assert_eq!(steps(4_000_000), ["0", "500k", "1M", "1.5M", "2M", "2.5M", "3M", "3.5M", "4M"]);
    }

    #[test]
    fn equal_values_have_an_axis() {
        for value in [0.0, 1.0, -3.5, 1e-300, 1e30, -1e30] {
            let axis = Axis::values(value, value, false);
            assert!(axis.low < axis.high && !axis.ticks.is_empty(), "{axis:?}");
            assert!(axis.ticks.len() < 20 && axis.ticks.iter().all(|tick| tick.is_finite()), "{axis:?}");
        }
        let next = f64::from_bits(1.0f64.to_bits() + 1);
        assert!(Axis::values(1.0, next, true).ticks.len() < 20);
    }
}
