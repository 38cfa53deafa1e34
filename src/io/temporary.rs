//! Temporary files next to outputs.

/// Makes files with the mode of any new file.
pub(super) fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".albert-").suffix(".part");
    if let Some(mode) = new_file_mode() {
        builder.permissions(mode);
    }
    builder
}

/// tempfile makes files that only their owner can read; output has the mode of any new file.
#[cfg(unix)]
fn new_file_mode() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file_mode() -> Option<std::fs::Permissions> {
    None
}
