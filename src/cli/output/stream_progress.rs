//! Computes the rate and the remaining time of a run.

use std::time::{Duration, Instant};

use albert::io::ReadProgress;
use serde::Serialize;

/// Time between two lines of `--progress json`.
const INTERVAL: Duration = Duration::from_secs(5);

/// Decides when the next line is due.
pub(crate) struct Pace {
    started: Instant,
    next: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), next: INTERVAL }
    }

    /// Returns the seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Returns true if it is time for a line.
    pub(crate) fn is_due(&mut self) -> bool {
        let elapsed = self.started.elapsed();
        let due = elapsed >= self.next;
        if due {
            self.next = elapsed + INTERVAL;
        }
        due
    }
}

/// The progress of a stream.
pub(crate) struct StreamProgress {
    read: ReadProgress,
    limit: Option<u64>,
}

/// A line of `--progress json`.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct StreamLine {
    records: u64,
    failed: u64,
    seconds: f64,
    records_per_second: f64,
    /// `None` for pipes.
    seconds_left: Option<f64>,
    finished: bool,
}

impl StreamProgress {
    /// Creates the progress. `limit` is the maximum number of records, if there is one.
    pub(crate) fn new(read: ReadProgress, limit: Option<u64>) -> Self {
        Self { read, limit }
    }

    /// Estimates the remaining time after `records` records in `seconds` seconds, from the size of the input and from the
    /// limit.
    pub(crate) fn seconds_left(&self, records: u64, seconds: f64) -> Option<f64> {
        let skipped = self.read.skipped();
        let bytes = self.read.total.map(|total| (total.saturating_sub(self.read.read()), total));
        let by_bytes = bytes
            .and_then(|(left, total)| per(left, total.saturating_sub(left).saturating_sub(skipped), seconds));
        let by_limit = self.limit.and_then(|limit| per(limit.saturating_sub(records), records, seconds));
        match (by_bytes, by_limit) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn line(&self, records: u64, failed: u64, seconds: f64, finished: bool) -> StreamLine {
        let left = if finished { Some(0.0) } else { self.seconds_left(records + failed, seconds) };
        StreamLine {
            records,
            failed,
            seconds: rounded(seconds),
            records_per_second: if seconds > 0.0 { rounded(records as f64 / seconds) } else { 0.0 },
            seconds_left: left.map(rounded),
            finished,
        }
    }
}

/// Returns the time needed for `left` if `done` took `seconds`.
pub(crate) fn per(left: u64, done: u64, seconds: f64) -> Option<f64> {
    (done > 0).then(|| left as f64 / done as f64 * seconds)
}

pub(crate) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_tells_the_remaining_time() {
        let progress = StreamProgress::new(ReadProgress::default(), Some(100));
        assert_eq!(progress.seconds_left(0, 1.0), None);
        assert_eq!(progress.seconds_left(25, 10.0), Some(30.0));
        let line = progress.line(20, 5, 10.0, false);
        assert_eq!((line.records_per_second, line.seconds_left), (2.0, Some(30.0)));
        assert_eq!(progress.line(99, 0, 10.0, true).seconds_left, Some(0.0));
        assert_eq!(StreamProgress::new(ReadProgress::default(), None).seconds_left(25, 10.0), None);
    }
}
