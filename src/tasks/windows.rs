//! Overlapping windows over a sequence of tokens that is longer than the model supports.

use std::ops::Range;

use crate::tokenizer::TruncationSide;

/// Returns ranges of at most `room` tokens that cover `length` tokens, in ascending order. Neighbors share `stride`
/// tokens, as in the `tokenizers` crate's truncation with a stride: if texts are truncated on the right, the first range
/// is full; on the left, the last one. There is at least one range. A `stride` that leaves no step is halved until it
/// fits.
pub(crate) fn windows(length: usize, room: usize, stride: usize, side: TruncationSide) -> Vec<Range<usize>> {
    let mut ranges = from_the_beginning(length, room, stride);
    if side == TruncationSide::Left {
        ranges = ranges.into_iter().rev().map(|r| length - r.end..length - r.start).collect();
    }
    ranges
}

fn from_the_beginning(length: usize, room: usize, stride: usize) -> Vec<Range<usize>> {
    let room = room.max(1);
    let stride = if stride < room { stride } else { room / 2 };
    let mut ranges = Vec::new();
    let mut start = 0;
    loop {
        let end = (start + room).min(length);
        ranges.push(start..end);
        if end == length {
            return ranges;
        }
        start += room - stride;
    }
}

/// Returns the part of each window whose tokens have more context there than in the adjacent windows. The parts have
/// neither gaps nor overlaps.
pub(crate) fn own_parts(windows: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut start = windows.first().map_or(0, |w| w.start);
    (0..windows.len())
        .map(|i| {
            let end = match windows.get(i + 1) {
                Some(next) => usize::midpoint(next.start, windows[i].end).max(start),
                None => windows[i].end.max(start),
            };
            let part = start..end;
            start = end;
            part
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(length: usize, room: usize, stride: usize) -> Vec<Range<usize>> {
        super::windows(length, room, stride, TruncationSide::Right)
    }

    #[test]
    fn a_text_cut_on_the_left_is_read_from_its_end() {
        let left = |length, room, stride| super::windows(length, room, stride, TruncationSide::Left);
        assert_eq!(left(11, 4, 1), [0..2, 1..5, 4..8, 7..11]);
        assert_eq!(left(10, 4, 1), [0..4, 3..7, 6..10]);
        assert_eq!((left(3, 4, 1).len(), left(3, 4, 1)[0].clone()), (1, 0..3));
    }

    #[test]
    fn neighbours_share_the_stride() {
        assert_eq!(windows(10, 4, 1), [0..4, 3..7, 6..10]);
        assert_eq!(windows(11, 4, 1), [0..4, 3..7, 6..10, 9..11]);
        assert_eq!((windows(4, 4, 1).len(), windows(4, 4, 1)[0].clone()), (1, 0..4));
        assert_eq!((windows(0, 4, 1).len(), windows(0, 4, 1)[0].clone()), (1, 0..0));
        assert_eq!(windows(5, 4, 9), [0..4, 2..5]);
        assert_eq!(windows(3, 1, 0), [0..1, 1..2, 2..3]);
        assert_eq!(windows(2, 0, 0), [0..1, 1..2]);
    }

    #[test]
    fn every_token_is_owned_once_by_a_window_that_has_it() {
        for length in 0..40 {
            for room in 1..12 {
                for stride in 0..room {
                    let all = windows(length, room, stride);
                    let parts = own_parts(&all);
                    let mut next = 0;
                    for (part, window) in parts.iter().zip(&all) {
                        assert_eq!(part.start, next, "{length} {room} {stride}");
                        assert!(part.is_empty() || (window.start <= part.start && part.end <= window.end));
                        next = part.end;
                    }
                    assert_eq!(next, length);
                }
            }
        }
    }
}
