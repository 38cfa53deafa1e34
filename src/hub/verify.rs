//! Verification of downloaded files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sha2::Digest;

/// The meaning of an etag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Etag {
    /// SHA-256 of a large file.
    Sha256,
    /// git's blob SHA-1 of a small file.
    GitBlob,
    /// No known hash; the server is not the hub itself.
    Opaque,
}

fn kind(etag: &str) -> Etag {
    let hex = etag.bytes().all(|b| b.is_ascii_hexdigit());
    match etag.len() {
        64 if hex => Etag::Sha256,
        40 if hex => Etag::GitBlob,
        _ => Etag::Opaque,
    }
}

/// Returns true if the etag is a hash, so that [`verify`] checks more than the size.
pub(crate) fn is_hash(etag: &str) -> bool {
    kind(etag) != Etag::Opaque
}

/// Compares a complete file with the expected size and with the hash in its etag. The inner error describes a mismatch.
pub(crate) fn verify(file: &mut File, etag: &str, size: Option<u64>) -> io::Result<Result<(), String>> {
    let length = file.metadata()?.len();
    if let Some(size) = size
        && size != length
    {
        return Ok(Err(format!("{length} bytes came and the hub promised {size}")));
    }
    let actual = match kind(etag) {
        Etag::Sha256 => hash(file, sha2::Sha256::new())?,
        Etag::GitBlob => {
            let mut hasher = sha1::Sha1::new();
            hasher.update(format!("blob {length}\0"));
            hash(file, hasher)?
        }
        Etag::Opaque => return Ok(Ok(())),
    };
    if actual.eq_ignore_ascii_case(etag) {
        return Ok(Ok(()));
    }
    Ok(Err(format!("the content has the hash {actual} and the hub promised {etag}")))
}

fn hash<D: Digest>(file: &mut File, mut hasher: D) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn both_hashes_are_those_of_git() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"hello\n").expect("writes");
        let mut check = |etag: &str, size| verify(&mut file, etag, size).expect("reads");
        // The hashes are from `git hash-object` and `sha256sum`.
        assert_eq!(check("ce013625030ba8dba906f756967f9e9ca394464a", Some(6)), Ok(()));
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(check(sha256, None), Ok(()));
        assert_eq!(check("5f3e-abc", Some(6)), Ok(()));
        assert_eq!(check("5f3e-abc", Some(7)), Err("6 bytes came and the hub promised 7".to_owned()));
        let wrong = "0".repeat(64);
        assert_eq!(
            check(&wrong, None),
            Err(format!("the content has the hash {sha256} and the hub promised {wrong}"))
        );
    }
}
