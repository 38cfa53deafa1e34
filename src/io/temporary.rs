//! Temporary files next to outputs.

/// Returns a builder of files with the default mode of new files.
pub(super) fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".albert-").suffix(".part");
    if let Some(mode) = new_file_mode() {
        builder.permissions(mode);
    }
    builder
}

/// Returns the default mode of new files. tempfile creates files that only their owner can read, which is not suitable
/// for output.
#[cfg(unix)]
fn new_file_mode() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file_mode() -> Option<std::fs::Permissions> {
    None
}
