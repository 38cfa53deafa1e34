//! Reads a text file as a whole.

use std::io::{BufReader, Read};
use std::path::Path;

use super::compressed::{NOT_UTF8_ADVICE, decompressed, unreadable};
use crate::error::{Error, Result};

/// Reads a UTF-8 file, or standard input for `-`. Gzip and Zstandard are decompressed. A byte order mark is not part of the
/// text.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] for text that is not UTF-8, with the place of the first invalid byte.
pub fn read_text(path: &Path) -> Result<String> {
    let from_stdin = path == Path::new("-");
    let name = if from_stdin { Path::new("<stdin>") } else { path };
    let stored = match from_stdin {
        true => decompressed(BufReader::new(std::io::stdin())),
        false => std::fs::File::open(path).and_then(|file| decompressed(BufReader::new(file))),
    };
    let mut bytes = Vec::new();
    stored.and_then(|mut text| text.read_to_end(&mut bytes)).map_err(Error::io(name, "read"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        match unreadable(error.as_bytes()) {
            Some(problem) => Error::bad_file(name, problem),
            None => Error::bad_file(name, format!("not valid UTF-8 (byte {at}){NOT_UTF8_ADVICE}")),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn text_may_be_compressed() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |bytes: &[u8]| {
            let path = folder.path().join("a");
            std::fs::write(&path, bytes).expect("written");
            read_text(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read("\u{feff}é".as_bytes()).as_deref(), Ok("é"));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all("é\n".as_bytes()).expect("compressed");
        assert_eq!(read(&gzip.finish().expect("compressed")).as_deref(), Ok("é\n"));
        assert!(read(b"a\xff").is_err_and(|error| error.contains("not valid UTF-8 (byte 2)")));
        assert!(read(b"\xff\xfea\0").is_err_and(|error| error.contains("is UTF-16")));
    }
}
