//! Locates and reads the bytes of a PyTorch file's tensors.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

/// The storages of one file, by key.
pub(super) enum Storages {
    Zip(ZipStorages),
    /// Byte ranges of the file.
    Ranges(Ranges),
}

/// Storages that are contiguous, uncompressed ranges of the file.
pub(super) struct Ranges {
    pub file: Mutex<File>,
    /// Offset and size of each storage, in bytes.
    pub places: HashMap<String, (u64, u64)>,
}

/// The members of a zip archive in the directory of its `data.pkl`.
pub(super) struct ZipStorages {
    archive: Mutex<ZipArchive<BufReader<File>>>,
    /// A second handle, for reading parts of uncompressed members.
    file: Mutex<File>,
    length: u64,
    /// The directory, with its trailing slash; empty at the top level.
    folder: String,
}

impl Storages {
    /// Reads `length` bytes of a storage, starting at `start`.
    ///
    /// # Errors
    /// Returns a message if the storage is missing, too short or unreadable.
    pub(crate) fn read(&self, key: &str, start: u64, length: u64) -> Result<Vec<u8>, String> {
        match self {
            Self::Zip(zip) => zip.read(key, start, length),
            Self::Ranges(ranges) => ranges.read(key, start, length),
        }
    }
}

impl Ranges {
    fn read(&self, key: &str, start: u64, length: u64) -> Result<Vec<u8>, String> {
        let (from, bytes) =
            *self.places.get(key).ok_or_else(|| format!("the file has no storage \"{key}\""))?;
        if start.checked_add(length).is_none_or(|end| end > bytes) {
            return Err(format!("storage \"{key}\" has {bytes} bytes, too few"));
        }
        read_at(&self.file, from + start, length).map_err(|e| format!("storage \"{key}\": {e}"))
    }
}

fn read_at(file: &Mutex<File>, from: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl ZipStorages {
    /// Opens an archive and finds its `data.pkl`.
    ///
    /// # Errors
    /// Returns a message if the archive is unreadable or has no `data.pkl`.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let open = || File::open(path).map_err(|e| e.to_string());
        let (file, second) = (open()?, open()?);
        let length = file.metadata().map_err(|e| e.to_string())?.len();
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| match e {
            // The directory of an archive is at its end.
            ZipError::InvalidArchive(_) => {
                "its zip archive is truncated or damaged; was its download cut off?".to_owned()
            }
            other => other.to_string(),
        })?;
        let names: Vec<String> =
            archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        let folder = names
            .iter()
            .filter_map(|name| name.strip_suffix("data.pkl"))
            .filter(|folder| folder.is_empty() || folder.ends_with('/'))
            .min_by_key(|folder| folder.len());
        let folder = folder.ok_or("the archive has no data.pkl")?.to_owned();
        Ok(Self { archive: Mutex::new(archive), file: Mutex::new(second), length, folder })
    }

    /// Reads a short text next to `data.pkl`, if it exists.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = archive.by_name(&format!("{}{name}", self.folder)).ok()?;
        let mut text = String::new();
        entry.take(64).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned())
    }

    /// Passes the bytes of `data.pkl` to `read`.
    ///
    /// # Errors
    /// Returns a message if the member is unreadable, or the error of `read`.
    pub(crate) fn pickle<T>(
        &self,
        read: impl FnOnce(&mut BufReader<&mut dyn Read>) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}data.pkl", self.folder);
        let (mut entry, _) = opened(&mut archive, &name)?;
        let mut reader = BufReader::with_capacity(1 << 16, &mut entry as &mut dyn Read);
        let done = read(&mut reader)?;
        // Read to the end of the member, where its checksum is verified.
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(|e| format!("member \"{name}\": {e}"))?;
        Ok(done)
    }

    fn read(&self, key: &str, start: u64, length: u64) -> Result<Vec<u8>, String> {
        let name = format!("{}data/{key}", self.folder);
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut entry, stored) = opened(&mut archive, &name)?;
        let bytes = entry.size();
        if start.checked_add(length).is_none_or(|end| end > bytes) {
            return Err(format!("storage \"{key}\" has {bytes} bytes, too few"));
        }
        let problem = |e: std::io::Error| format!("storage \"{key}\": {e}");
        if stored && length < bytes {
            let from =
                entry.data_start().ok_or_else(|| format!("storage \"{key}\" has no location in the file"))?
                    + start;
            if from.checked_add(length).is_none_or(|end| end > self.length) {
                return Err(format!("storage \"{key}\" reaches past the end of the file"));
            }
            drop(entry);
            drop(archive);
            return read_at(&self.file, from, length).map_err(problem);
        }
        std::io::copy(&mut (&mut entry).take(start), &mut std::io::sink()).map_err(problem)?;
        // The member's header may claim any size, so the capacity is limited to the size of the file.
        let mut out = Vec::with_capacity(usize::try_from(length.min(self.length)).unwrap_or(0));
        (&mut entry).take(length).read_to_end(&mut out).map_err(problem)?;
        if out.len() as u64 != length {
            return Err(format!("storage \"{key}\" ends after {} of {length} bytes", out.len()));
        }
        if start + length == bytes {
            // Read to the end of the member, where its checksum is verified.
            let rest = std::io::copy(&mut entry.take(1), &mut std::io::sink()).map_err(problem)?;
            if rest > 0 {
                return Err(format!("storage \"{key}\" is longer than it says"));
            }
        }
        Ok(out)
    }
}

/// Opens a member, and returns whether it is stored uncompressed. A checksum of 0 means that there is none, since
/// `torch.save` may leave it out.
fn opened<'a>(
    archive: &'a mut ZipArchive<BufReader<File>>,
    name: &str,
) -> Result<(zip::read::ZipFile<'a, BufReader<File>>, bool), String> {
    let index =
        archive.index_for_name(name).ok_or_else(|| format!("the archive has no member \"{name}\""))?;
    let problem = |e: ZipError| format!("member \"{name}\": {e}");
    let unchecked = archive.by_index_raw(index).map_err(problem)?.crc32() == 0;
    let options = ZipReadOptions::new().ignore_crc32(unchecked);
    let entry = archive.by_index_with_options(index, options).map_err(problem)?;
    let stored = entry.compression() == CompressionMethod::Stored && entry.compressed_size() == entry.size();
    Ok((entry, stored))
}
