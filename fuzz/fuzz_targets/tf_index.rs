#![no_main]

mod common;

const DATA: &[u8] = include_bytes!("../../tests/golden/formats/google_partitioned/model.ckpt-best.data-00000-of-00001");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // After a zero byte: the entries of a table, to which correct checksums are added, because random changes never hit
    // one.
    let table = match bytes {
        [0, block @ ..] => table(block),
        _ => bytes.to_vec(),
    };
    common::read_all("model.ckpt-best.index", &table, &[("model.ckpt-best.data-00000-of-00001", DATA)]);
});

/// A table of one block.
fn table(block: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let data = add(&mut file, block);
    // One entry without a name, then the position of the only restart point.
    let index = [&[0, 0, data.len() as u8][..], &data, &0u32.to_le_bytes(), &1u32.to_le_bytes()].concat();
    let index = add(&mut file, &index);
    let mut footer = [&data[..], &index].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file
}

/// Appends a block and its checksum. Returns the block's position in the encoding that tables use.
fn add(file: &mut Vec<u8>, block: &[u8]) -> Vec<u8> {
    let mut place = Vec::new();
    for mut number in [file.len(), block.len()] {
        while number >= 0x80 {
            place.push(number as u8 | 0x80);
            number >>= 7;
        }
        place.push(number as u8);
    }
    let start = file.len();
    file.extend(block);
    file.push(0);
    let checksum = crc32c::crc32c(&file[start..]).rotate_right(15).wrapping_add(0xa282_ead8);
    file.extend(checksum.to_le_bytes());
    place
}
