//! Checks names of files that other files or a server give.

/// Returns true for a relative path that stays inside its directory on any system: no `..`, no absolute path, no drive, no
/// control characters, at most 255 bytes.
pub(crate) fn is_path_inside(name: &str) -> bool {
    name.len() <= 255
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_directory() {
        for good in ["model-00001-of-00002.safetensors", "onnx/model.onnx", "..x", "a b"] {
            assert!(is_path_inside(good), "{good}");
        }
        for bad in ["../x", "/x", "a/../b", "..", ".", "", "a//b", "a\\b", "c:x", "a\0b", "a\nb", "a/"] {
            assert!(!is_path_inside(bad), "{bad:?}");
        }
    }
}
