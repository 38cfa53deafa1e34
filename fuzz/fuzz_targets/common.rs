//! Common to all checkpoint targets: the bytes become a file, and every tensor in it is read.

use std::path::Path;

use albert::checkpoint::Tensors;

/// A directory in memory if possible, otherwise in the temporary directory.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(base).expect("a directory")
}

/// Reads `bytes` as a file called `name`, together with the files in `others`.
pub fn read_all(name: &str, bytes: &[u8], others: &[(&str, &[u8])]) {
    let directory = directory();
    for (name, bytes) in others {
        std::fs::write(directory.path().join(name), bytes).expect("writes");
    }
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).expect("writes");
    let Ok(tensors) = Tensors::open(&path) else { return };
    for info in tensors.infos() {
        if let Ok((read, dtype)) = tensors.read(&info.name) {
            assert_eq!(read.len(), info.shape.iter().product::<usize>() * dtype.size());
        }
    }
}
