//! Decompression of streams: gzip (RFC 1952) and Zstandard (RFC 8878). Detection of streams that cannot be read.

use super::gzip::GzipReader;
use super::zstd::ZstdReader;
use std::io::{self, BufRead, Read};

/// Decompresses a stream. Compression is detected from the first bytes.
///
/// # Errors
/// Errors from reading the stream.
pub(crate) fn decompressed(mut stored: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Ok(match stored.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(GzipReader::new(stored)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(ZstdReader::new(stored)),
        _ => Box::new(stored),
    })
}

/// Advice on text that is not UTF-8.
pub(crate) const NOT_UTF8_ADVICE: &str =
    "; convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8";

/// Returns the reason why a decompressed stream that begins with `start` cannot be read as text, if these bytes show one.
pub(crate) fn unreadable(start: &[u8]) -> Option<&'static str> {
    const BZIP2_BLOCK: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    const BZIP2_END: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
    match start {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Some("is UTF-32; convert it with iconv -f UTF-32 -t UTF-8")
        }
        [1..=255, 0, 0, 0, 1..=255, 0, 0, 0, ..] => {
            Some("is UTF-32; convert it with iconv -f UTF-32LE -t UTF-8")
        }
        [0, 0, 0, 1..=255, 0, 0, 0, 1..=255, ..] => {
            Some("is UTF-32; convert it with iconv -f UTF-32BE -t UTF-8")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is UTF-16; convert it with iconv -f UTF-16 -t UTF-8"),
        [1..=255, 0, 1..=255, 0, ..] => Some("is UTF-16; convert it with iconv -f UTF-16LE -t UTF-8"),
        [0, 1..=255, 0, 1..=255, ..] => Some("is UTF-16; convert it with iconv -f UTF-16BE -t UTF-8"),
        [b'B', b'Z', b'h', b'1'..=b'9', block @ ..]
            if block.starts_with(&BZIP2_BLOCK) || block.starts_with(&BZIP2_END) =>
        {
            Some("is compressed with bzip2; albert reads gzip and Zstandard")
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Some("is compressed with xz; albert reads gzip and Zstandard")
        }
        [b'P', b'K', 3, 4, ..] => Some("is a zip archive; albert reads gzip and Zstandard"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_named() {
        for (start, what) in [
            (&b"\xff\xfea\0"[..], "is UTF-16"),
            (b"\xfe\xff\0a", "is UTF-16"),
            (b"{\0\"\0t\0", "is UTF-16; convert it with iconv -f UTF-16LE"),
            (b"\0{\0\"\0t", "is UTF-16; convert it with iconv -f UTF-16BE"),
            (b"\xff\xfe\0\0{\0\0\0", "is UTF-32"),
            (b"\0\0\xfe\xff\0\0\0{", "is UTF-32"),
            (b"{\0\0\0\"\0\0\0", "is UTF-32; convert it with iconv -f UTF-32LE"),
            (b"\0\0\0{\0\0\0\"", "is UTF-32; convert it with iconv -f UTF-32BE"),
            (b"BZh91AY&SY\x12", "is compressed with bzip2"),
            (b"BZh9\x17\x72\x45\x38\x50\x90", "is compressed with bzip2"),
            (b"\xfd7zXZ\0\0", "is compressed with xz"),
            (b"PK\x03\x04\x14", "is a zip archive"),
        ] {
            assert!(unreadable(start).is_some_and(|problem| problem.starts_with(what)), "{start:?}");
        }
        for text in ["", "BZh9 is a name", "PK", "\u{feff}text", "{}"] {
            assert_eq!(unreadable(text.as_bytes()), None, "{text}");
        }
    }
}
