//! Checks of the numbers and letters of choices.

/// Checks that there are at least two choices.
pub(super) fn check_count(count: usize) -> std::result::Result<(), String> {
    match count {
        0 => Err("no choices; at least two are needed".to_owned()),
        1 => Err("1 choice; at least two are needed".to_owned()),
        _ => Ok(()),
    }
}

/// Returns the index of a letter, counted from A.
pub(super) fn letter(text: &str) -> Option<usize> {
    match text.trim().as_bytes() {
        [letter @ (b'A'..=b'Z' | b'a'..=b'z')] => Some(usize::from(letter.to_ascii_uppercase() - b'A')),
        _ => None,
    }
}

/// Checks the index of a choice. `what` names its source.
pub(super) fn in_range(number: usize, count: usize, what: &str) -> std::result::Result<usize, String> {
    if number < count {
        return Ok(number);
    }
    let last = char::from(b'A' + u8::try_from(count.saturating_sub(1)).unwrap_or(25).min(25));
    Err(format!("{what}, beyond the {count} choices (0 to {}, A to {last})", count.saturating_sub(1)))
}
