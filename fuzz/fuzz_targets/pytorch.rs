#![no_main]

mod common;

/// The values that precede the state in a file from before 1.6: magic number, version, system.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}X\r\0\0\0little_endian\x88s.";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // After a zero byte: the pickle of a zip archive, because a random change never leaves the archive itself intact.
    // After a one: the pickles and storages of a file from before 1.6.
    let file = match bytes {
        [0, pickle @ ..] => zip(&[("m/data.pkl", pickle), ("m/data/0", &[1; 64]), ("m/data/1", &[2; 24])]),
        [1, rest @ ..] => [LEGACY, rest].concat(),
        _ => bytes.to_vec(),
    };
    common::read_all("pytorch_model.bin", &file, &[]);
});

/// A zip archive of stored members without checksums.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let (start, size) = (file.len() as u32, bytes.len() as u32);
        // Method, time, checksum, both sizes, length of the name, no extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
        common.extend([name.len() as u8, 0, 0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.bytes());
        file.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (start, size, count) = (file.len() as u32, directory.len() as u32, members.len() as u8);
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, 0, count, 0]);
    file.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    file.extend([0, 0]);
    file
}
