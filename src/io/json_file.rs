//! Text of JSON files that people edit, such as `config.json`.

use serde::de::DeserializeOwned;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Returns the text of a JSON file without a byte order mark, which editors on Windows write.
///
/// # Errors
/// Returns the problem in words if the text is UTF-16, with or without a byte order mark.
pub(crate) fn json_text(bytes: &[u8]) -> Result<&[u8], String> {
    let marked = UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark));
    // The first two characters of JSON are ASCII.
    let halves = matches!(bytes, [0, 1..=127, 0, ..] | [1..=127, 0, 1..=127, 0, ..]);
    if marked || halves {
        return Err("it is UTF-16; save it as UTF-8, with an editor or iconv -f UTF-16 -t UTF-8".to_owned());
    }
    Ok(bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes))
}

/// Parses a JSON file.
///
/// # Errors
/// Those of [`json_text`]; the problem with the JSON text.
pub(crate) fn from_json_file<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json_text(bytes)?).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks() {
        assert_eq!(from_json_file(b"\xef\xbb\xbf[1]"), Ok(vec![1]));
        assert_eq!(from_json_file(b"[1]"), Ok(vec![1]));
        for utf16 in [b"\xff\xfe[\0]\0".as_slice(), b"\xfe\xff\0[\0]", b"[\0]\0", b"\0[\0]"] {
            let error = from_json_file::<Vec<i32>>(utf16).expect_err("UTF-16");
            assert!(error.contains("it is UTF-16; save it as UTF-8"), "{error}");
        }
        assert!(from_json_file::<Vec<i32>>(b"").expect_err("empty").contains("EOF"));
        assert!(from_json_file::<Vec<i32>>(b"\xef\xbb").is_err());
    }
}
