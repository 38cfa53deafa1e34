//! Archives built byte by byte, so that their headers can be false.

use std::io::Write;

/// One member of a zip archive, as both headers describe it.
pub(crate) struct Member {
    pub name: String,
    /// The bytes in the archive, compressed or not.
    pub bytes: Vec<u8>,
    /// 0 is stored, 8 is deflated.
    pub method: u16,
    /// Declared size after decompression, which may be false.
    pub size: u32,
    /// The checksum; 0 stands for none.
    pub crc: u32,
}

impl Member {
    pub(crate) fn stored(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.to_vec(), method: 0, size: bytes.len() as u32, crc: 0 }
    }

    pub(crate) fn deflated(name: &str, bytes: &[u8]) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("compresses");
        let packed = encoder.finish().expect("compresses");
        Self { name: name.to_owned(), bytes: packed, method: 8, size: bytes.len() as u32, crc: 0 }
    }
}

fn fields(member: &Member) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(20u16.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out.extend(member.method.to_le_bytes());
    out.extend([0; 4]);
    out.extend(member.crc.to_le_bytes());
    out.extend((member.bytes.len() as u32).to_le_bytes());
    out.extend(member.size.to_le_bytes());
    out.extend((member.name.len() as u16).to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out
}

/// A zip archive. With `shared`, every directory entry points to the first member.
pub(crate) fn zip(members: &[Member], shared: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        let at = if shared { 0 } else { out.len() as u32 };
        if !shared || out.is_empty() {
            out.extend(b"PK\x03\x04");
            out.extend(fields(member));
            out.extend(member.name.as_bytes());
            out.extend(&member.bytes);
        }
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(fields(member));
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(member.name.as_bytes());
    }
    let start = out.len() as u32;
    let count = members.len().min(0xffff) as u16;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}

/// A tar archive. Each member has a name, a type (`0` file, `2` link, `S` sparse), a link target, a declared size and
/// its bytes.
pub(crate) fn tar(members: &[(&str, u8, &str, u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, target, size, bytes) in members {
        let mut header = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, b"00000000000\0");
        put(156, &[*kind]);
        put(157, target.as_bytes());
        put(257, b"ustar  \0");
        if *kind == b'S' {
            // An empty run of data at the declared end of the file.
            put(386, b"77777777777\0");
            put(398, b"00000000000\0");
            put(483, b"77777777777\0");
        }
        put(148, b"        ");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        out.extend(*bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}
