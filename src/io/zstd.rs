//! Zstandard streams with any number of frames (RFC 8878), built on the single-frame decoder of `ruzstd`.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::error::Error;
use std::io::{self, BufRead, ErrorKind, Read};

const ENDS_EARLY: &str = "the Zstandard stream ends early";

/// Reads all frames of a stream in sequence.
pub(super) struct ZstdReader<R> {
    source: R,
    decoder: Box<FrameDecoder>,
    in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, decoder: Box::new(FrameDecoder::new()), in_frame: false }
    }

    /// Starts the next frame. Returns false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::Error::new(ErrorKind::UnexpectedEof, ENDS_EARLY));
                    }
                }
                Err(error) => return Err(problem(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(problem)?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if let (Some(stored), Some(found)) =
                (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum())
                && stored != found
            {
                return Err(io::Error::new(ErrorKind::InvalidData, "the checksum does not agree"));
            }
            self.in_frame = false;
        }
    }
}

/// Converts an error of the decoder. An error of the stream below it is returned as it is.
fn problem(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(stored) = found.downcast_ref::<io::Error>() {
            return match (stored.kind(), stored.raw_os_error()) {
                (ErrorKind::UnexpectedEof, _) => io::Error::new(ErrorKind::UnexpectedEof, ENDS_EARLY),
                (_, Some(code)) => io::Error::from_raw_os_error(code),
                (kind, None) => io::Error::new(kind, stored.to_string()),
            };
        }
        cause = found.source();
    }
    io::Error::new(ErrorKind::InvalidData, format!("the Zstandard stream is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_ends_early() {
        let text = "some text, and some more text\n".repeat(100);
        let bytes =
            ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        let read = |bytes: &[u8]| io::read_to_string(ZstdReader::new(bytes)).map_err(|e| e.to_string());
        assert_eq!(read(&bytes), Ok(text));
        for cut in 1..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Err(ENDS_EARLY.to_owned()), "{cut} of {} bytes", bytes.len());
        }
    }
}
