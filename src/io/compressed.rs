//! Decompression of streams: gzip (RFC 1952) and Zstandard (RFC 8878).

use super::zstd::ZstdReader;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};

/// Decompresses a stream. Compression is detected from the first bytes.
///
/// # Errors
/// Errors from reading the stream.
pub(crate) fn decompressed(mut stored: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Ok(match stored.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(stored)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(ZstdReader::new(stored)),
        _ => Box::new(stored),
    })
}
