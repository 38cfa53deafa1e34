//! transformers' `longest_first` truncation.

/// Returns the number of tokens to keep of the first and the second text, given `room` in total.
///
/// If both texts are truncated, they share the room. The slow tokenizer (like Google's code) gives the odd token to the
/// first text; fast tokenizers give it to the second one, unless the first was longer.
pub(super) fn lengths(first: usize, second: Option<usize>, room: usize, slow: bool) -> (usize, usize) {
    let Some(second) = second else { return (first.min(room), 0) };
    if first + second <= room {
        return (first, second);
    }
    let short = first.min(second);
    let long = if short > room { short } else { short.max(room - short) };
    let (short, long) = if short + long > room { (room / 2, room - room / 2) } else { (short, long) };
    let first_is_long = if short + long == room && short.abs_diff(long) <= 1 && slow {
        // The lengths are equal, except for the odd token.
        first >= long
    } else {
        first > second
    };
    if first_is_long { (long, short) } else { (short, long) }
}

#[cfg(test)]
mod tests {
    use super::lengths;

    /// Google's loop: truncates the longer text, or the second one if they are equal.
    fn loop_of_google(mut a: usize, mut b: usize, room: usize) -> (usize, usize) {
        while a + b > room {
            if a > b { a -= 1 } else { b -= 1 }
        }
        (a, b)
    }

    #[test]
    fn the_slow_rule_is_googles_loop() {
        for a in 0..12 {
            for b in 0..12 {
                for room in 0..26 {
                    assert_eq!(lengths(a, Some(b), room, true), loop_of_google(a, b, room), "{a} {b} {room}");
                }
            }
        }
    }

    #[test]
    fn both_rules_use_the_room_and_differ_by_the_odd_token() {
        assert_eq!(lengths(9, Some(9), 5, true), (3, 2));
        assert_eq!(lengths(9, Some(9), 5, false), (2, 3));
        assert_eq!(lengths(9, Some(8), 5, false), (3, 2));
        assert_eq!(lengths(2, Some(9), 7, false), (2, 5));
        assert_eq!(lengths(9, None, 5, false), (5, 0));
        assert_eq!(lengths(3, None, 5, true), (3, 0));
    }
}
