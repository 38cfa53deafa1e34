//! gzip streams with any number of members (RFC 1952), followed by any number of zero bytes.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

/// Reads all members of a stream in sequence. Zero bytes after a member are skipped, as gzip and Python do: tapes and some
/// file systems pad files with them.
pub(super) struct GzipReader<R> {
    state: State<R>,
}

enum State<R> {
    /// In a member.
    Member { decoder: Box<GzDecoder<R>>, first: bool },
    /// After a member.
    Between(R),
    /// At the end, or after an error.
    End,
}

impl<R: BufRead> GzipReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { state: State::Member { decoder: Box::new(GzDecoder::new(source)), first: true } }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.state {
                State::End => return Ok(0),
                State::Member { decoder, first } => match decoder.read(buffer) {
                    Ok(0) => {
                        if let State::Member { decoder, .. } = std::mem::replace(&mut self.state, State::End)
                        {
                            self.state = State::Between(decoder.into_inner());
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                        return Err(io::Error::new(error.kind(), "the gzip stream ends early"));
                    }
                    // The header of a member is invalid.
                    Err(error) if error.kind() == ErrorKind::InvalidInput && !*first => return Err(behind()),
                    other => return other,
                },
                State::Between(source) => {
                    let rest = source.fill_buf()?;
                    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
                    match rest.get(zeros) {
                        None if rest.is_empty() => self.state = State::End,
                        None => source.consume(zeros),
                        Some(0x1f) => {
                            source.consume(zeros);
                            if let State::Between(source) = std::mem::replace(&mut self.state, State::End) {
                                let decoder = Box::new(GzDecoder::new(source));
                                self.state = State::Member { decoder, first: false };
                            }
                        }
                        Some(_) => return Err(behind()),
                    }
                }
            }
        }
    }
}

fn behind() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "there is data after the end of the gzip stream")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("writes");
        encoder.finish().expect("ends")
    }

    /// Returns the text, or the problem.
    fn read(bytes: &[u8]) -> String {
        // A buffer of one byte must not change the result.
        let [whole, bytewise] = [bytes.len().max(1), 1].map(|capacity| {
            let mut text = String::new();
            let stored = io::BufReader::with_capacity(capacity, bytes);
            match GzipReader::new(stored).read_to_string(&mut text) {
                Ok(_) => text,
                Err(error) => format!("{text}! {error}"),
            }
        });
        assert_eq!(whole, bytewise);
        whole
    }

    #[test]
    fn members_and_padding() {
        let (a, b) = (gzip("one\n"), gzip("two"));
        let zeros = vec![0; 1000];
        assert_eq!(read(&a), "one\n");
        assert_eq!(read(&[&a[..], &b].concat()), "one\ntwo");
        assert_eq!(read(&[&a[..], &zeros].concat()), "one\n");
        assert_eq!(read(&[&a[..], &zeros, &b, &[0]].concat()), "one\ntwo");
    }

    #[test]
    fn what_is_wrong_with_a_stream() {
        let a = gzip("one\n");
        for rest in [&b"x"[..], b"\0\0text", b"\x1fx and more text"] {
            let found = read(&[&a[..], rest].concat());
            assert_eq!(found, "one\n! there is data after the end of the gzip stream", "{rest:?}");
        }
        for cut in [5, a.len() - 9, a.len() - 1] {
            assert!(read(&a[..cut]).ends_with("! the gzip stream ends early"), "{cut}: {}", read(&a[..cut]));
        }
        assert!(read(&[&a[..], &a[..12]].concat()).ends_with("! the gzip stream ends early"));
    }
}
