//! Reads the bytes of a pickle sequentially.

use std::io::BufRead;

/// Maximum length of a line in protocol 0.
const LONGEST_LINE: usize = 1 << 20;

/// The bytes to interpret, and the number of bytes read so far.
pub(in crate::checkpoint) struct Input<R> {
    pub reader: R,
    pub at: u64,
}

impl<R: BufRead> Input<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, at: 0 }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads the next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|e| self.broken(&e))?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// Reads the next bytes. `length` is small enough to keep them in memory.
    pub(crate) fn bytes(&mut self, length: u64) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| "it is too long".to_owned())?];
        self.reader.read_exact(&mut bytes).map_err(|e| self.broken(&e))?;
        self.at += length;
        Ok(bytes)
    }

    /// Skips bytes.
    pub(crate) fn skip(&mut self, mut length: u64) -> Result<(), String> {
        while length > 0 {
            let buffered = self.reader.fill_buf().map_err(|e| format!("at byte {}: {e}", self.at))?.len();
            if buffered == 0 {
                return Err(format!("it ends at byte {} inside a value", self.at));
            }
            let taken = (buffered as u64).min(length);
            self.reader.consume(taken as usize);
            self.at += taken;
            length -= taken;
        }
        Ok(())
    }

    /// Reads a line, including its line feed, and returns it without.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(line),
                _ if line.len() == LONGEST_LINE => return Err("a line of its pickle is too long".to_owned()),
                byte => line.push(byte),
            }
        }
    }

    fn broken(&self, error: &std::io::Error) -> String {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => format!("its pickle ends at byte {}", self.at),
            _ => format!("at byte {}: {error}", self.at),
        }
    }
}
