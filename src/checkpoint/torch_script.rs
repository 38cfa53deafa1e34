//! `rust_model.ot`, the weights of rust-bert: an archive of libtorch (`torch::serialize::OutputArchive`) whose pickle is
//! an object of a class without code, with one attribute per parameter. Rewritten as a dictionary, it is an ordinary
//! PyTorch file. Nothing of the archive is executed.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::Path;

use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::pickles::{MAX_PICKLE, too_long};
use crate::error::{Error, Result};

/// How the pickle begins: an object of `__torch__.Module`, made of nothing.
const CLASS: &[u8] = b"\x80\x02c__torch__\nModule\n";

/// A copy of the archive with a dictionary in the object's place; `None` for files of any other kind.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] for an archive that is damaged.
pub(super) fn as_dictionary(path: &Path) -> Result<Option<NamedTempFile>> {
    let mut file = File::open(path).map_err(Error::io(path, "read"))?;
    let mut start = [0; 4];
    if file.read_exact(&mut start).is_err() || start != *b"PK\x03\x04" {
        return Ok(None);
    }
    // What is no sound archive is for the reader to refuse.
    let Ok(mut archive) = ZipArchive::new(BufReader::new(file)) else { return Ok(None) };
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    let Some(name) =
        names.into_iter().find(|name: &String| name == "data.pkl" || name.ends_with("/data.pkl"))
    else {
        return Ok(None);
    };
    let bad = |problem: String| Error::bad_file(path, format!("is a damaged libtorch archive: {problem}"));
    let mut pickle = Vec::new();
    {
        let Ok(entry) = archive.by_name(&name) else { return Ok(None) };
        if entry.size() > MAX_PICKLE {
            let problem = format!("cannot be read as a PyTorch file: {}", too_long(entry.size()));
            return Err(Error::bad_file(path, problem));
        }
        if entry.take(MAX_PICKLE).read_to_end(&mut pickle).is_err() {
            return Ok(None);
        }
    }
    let Some(rest) = pickle.strip_prefix(CLASS) else { return Ok(None) };
    let dictionary = dictionary(rest).ok_or_else(|| bad("its pickle is of an unknown form".to_owned()))?;

    let copy = NamedTempFile::new().map_err(Error::io(std::env::temp_dir(), "create a file in"))?;
    let mut out = ZipWriter::new(BufWriter::new(copy.as_file()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(|e| bad(e.to_string()))?;
        let entry_name = entry.name().map_err(|e| bad(e.to_string()))?.into_owned();
        // The class's code, which nobody runs.
        if entry_name.contains("/code/") {
            continue;
        }
        if entry_name == name {
            drop(entry);
            out.start_file(&name, options).map_err(|e| bad(e.to_string()))?;
            std::io::Write::write_all(&mut out, &dictionary).map_err(Error::io(copy.path(), "write"))?;
        } else {
            out.raw_copy_file(entry).map_err(|e| bad(e.to_string()))?;
        }
    }
    let written = out.finish().map_err(|e| bad(e.to_string()))?;
    written.into_inner().map_err(|e| Error::io(copy.path(), "write")(e.into_error()))?;
    Ok(Some(copy))
}

/// The pickle without its class: what is left builds and keeps the attributes.
fn dictionary(rest: &[u8]) -> Option<Vec<u8>> {
    // The class is remembered as number 0, then called with nothing.
    let rest = rest.strip_prefix(b"q\x00").unwrap_or(rest);
    let rest = rest.strip_prefix(b")\x81")?;
    // The object's state is given to it at the end, and it may be remembered before.
    let end = rest.strip_suffix(b".")?;
    let remembered = |length: usize, how: u8| {
        let at = end.len().checked_sub(length + 2)?;
        (end[at] == b'b' && end[at + 1] == how).then(|| &end[..at])
    };
    let end = end.strip_suffix(b"b").or_else(|| remembered(1, b'q')).or_else(|| remembered(4, b'r'))?;
    Some([&b"\x80\x02"[..], end, b"."].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_becomes_its_attributes() {
        assert_eq!(
            dictionary(b"q\x00)\x81}(X\x01\0\0\0aK\x01ub."),
            Some(b"\x80\x02}(X\x01\0\0\0aK\x01u.".to_vec())
        );
        assert_eq!(dictionary(b")\x81}ubq\x07."), Some(b"\x80\x02}u.".to_vec()));
        assert_eq!(dictionary(b")\x81}ubr\x07\x01\0\0."), Some(b"\x80\x02}u.".to_vec()));
        assert_eq!(dictionary(b"}u."), None);
        assert_eq!(dictionary(b""), None);
    }
}
