//! Detects changes to a file without reading all of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Bytes read at each end of a file.
const END_BYTES: u64 = 64 << 10;
/// Bytes read at each of several positions in between.
const SAMPLE_BYTES: u64 = 4 << 10;
const SAMPLES: u64 = 64;

/// The state of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of samples of its content: both ends, and 64 positions in between.
    pub samples: String,
    /// The time of its last modification in nanoseconds since 1970, if available.
    pub modified: Option<u64>,
}

/// Computes the fingerprint of a file.
///
/// # Errors
/// [`Error::Io`].
pub fn fingerprint(path: &Path) -> Result<Fingerprint> {
    let read = |e| Error::io(path, "read")(e);
    let mut file = File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    let bytes = metadata.len();
    let mut hash = Sha256::new();
    let mut sample = |at: u64, length: u64| -> std::io::Result<()> {
        file.seek(SeekFrom::Start(at))?;
        let mut content = Vec::new();
        (&file).take(length).read_to_end(&mut content)?;
        hash.update(&content);
        Ok(())
    };
    let between = bytes.saturating_sub(2 * END_BYTES);
    sample(0, END_BYTES.min(bytes)).map_err(read)?;
    if between <= SAMPLES * SAMPLE_BYTES {
        sample(END_BYTES.min(bytes), between).map_err(read)?;
    } else {
        let step = between / SAMPLES;
        for i in 0..SAMPLES {
            sample(END_BYTES + i * step, SAMPLE_BYTES).map_err(read)?;
        }
    }
    sample((END_BYTES + between).min(bytes), END_BYTES).map_err(read)?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.and_then(|time| u64::try_from(time.as_nanos()).ok());
    Ok(Fingerprint { bytes, samples: hex(&hash.finalize()), modified })
}

/// Returns a hash of the names, lengths and samples of all files in a directory whose names are `wanted`.
///
/// # Errors
/// [`Error::Io`].
pub fn fingerprint_of_directory(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<String> {
    let read = |e| Error::io(path, "read")(e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?;
        // Follow links, which may point into a cache.
        if wanted(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            names.push(entry.file_name());
        }
    }
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        let file = fingerprint(&path.join(&name))?;
        hash.update(name.as_encoded_bytes());
        hash.update(format!("\0{} {}\n", file.bytes, file.samples));
    }
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, bytes).expect("writes");
        let found = fingerprint(&path).expect("reads");
        assert_eq!(found.bytes, bytes.len() as u64);
        found.samples
    }

    #[test]
    fn small_files_are_read_completely() {
        // printf abc | sha256sum
        assert_eq!(of(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for length in [0, 1, 70_000, 131_072, 200_000, 390_000] {
            let mut bytes = vec![b'x'; length];
            let before = of(&bytes);
            for at in [0, length / 3, length / 2, length.saturating_sub(1)] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = b'y';
                    assert_ne!(of(&bytes), before, "byte {at} of {length}");
                    bytes[at] = b'x';
                }
            }
        }
    }

    #[test]
    fn the_ends_of_large_files_are_read() {
        let mut bytes = vec![b'x'; 3 << 20];
        let before = of(&bytes);
        let last = bytes.len() - 1;
        for at in [0, 65_535, last - 65_535, last] {
            bytes[at] = b'y';
            assert_ne!(of(&bytes), before, "byte {at}");
            bytes[at] = b'x';
        }
        assert_eq!(of(&bytes), before);
    }

    #[test]
    fn names_and_contents_make_a_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let of = || fingerprint_of_directory(directory.path(), &|name| name != "other").expect("reads");
        let empty = of();
        std::fs::write(directory.path().join("a"), "x").expect("writes");
        let one = of();
        std::fs::rename(directory.path().join("a"), directory.path().join("b")).expect("renames");
        let renamed = of();
        std::fs::write(directory.path().join("other"), "y").expect("writes");
        assert_eq!(of(), renamed);
        std::fs::write(directory.path().join("b"), "y").expect("writes");
        assert_eq!(
            [&empty, &one, &renamed, &of()].iter().collect::<std::collections::BTreeSet<_>>().len(),
            4
        );
    }
}
