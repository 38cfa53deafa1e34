//! Reads PyTorch files from before 0.1.10: tar archives with the members `sys_info`, `storages`, `tensors` and `pickle`.
//!
//! Reference: `legacy_load` in PyTorch's `torch/serialization.py`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::Path;
use std::sync::Mutex;

use super::pickle::{Described, Heap, Input, Storage, Value, load, storage_dtype};
use super::storage::Ranges;

/// Maximum rank of a tensor.
const HIGHEST_RANK: u32 = 64;

/// Offset and size of each member, in bytes.
type Members = HashMap<String, (u64, u64)>;

/// Reads the archive's pickles into `heap`. Returns the value of the last pickle and the locations of the storages.
///
/// # Errors
/// Returns a message if the archive is damaged or is not a PyTorch checkpoint.
pub(super) fn read(path: &Path, heap: &mut Heap) -> Result<(Value, Ranges), String> {
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    let members = members(&mut file)?;
    let open = |name: &str| {
        let (from, length) = *members.get(name).ok_or_else(|| format!("missing '{name}'"))?;
        let mut file = File::open(path).map_err(|e| e.to_string())?;
        file.seek(SeekFrom::Start(from)).map_err(|e| e.to_string())?;
        Ok::<_, String>((Input::new(BufReader::new(file.take(length))), from, length))
    };
    if let Ok((mut sys_info, ..)) = open("sys_info") {
        let sys_info = load(&mut sys_info, heap)?;
        check_byte_order(heap, sys_info)?;
    }
    let (mut storages, from, length) = open("storages")?;
    let table = storage_table(&mut storages, from, length, heap)?;
    tensors(&mut open("tensors")?.0, &table, heap)?;
    let root = load(&mut open("pickle")?.0, heap)?;
    let places = table.into_iter().map(|(key, entry)| (key, (entry.from, entry.bytes))).collect();
    Ok((root, Ranges { file: Mutex::new(file), places }))
}

/// Rejects files from big-endian machines, whose numbers would be misread.
///
/// # Errors
/// If `sys_info` says big-endian, or does not state the byte order.
pub(super) fn check_byte_order(heap: &Heap, sys_info: Value) -> Result<(), String> {
    match heap.entry(sys_info, "little_endian") {
        Some(Value::Bool(true)) => Ok(()),
        Some(Value::Bool(false)) => {
            Err("it was written on a big-endian machine; load and save it again with PyTorch".to_owned())
        }
        _ => Err("its header does not state the byte order".to_owned()),
    }
}

/// Lists the members by name. Only plain files are accepted: a sparse member could claim any size, and a link any
/// location.
fn members(file: &mut File) -> Result<Members, String> {
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let mut members = Members::new();
    let mut header = [0; 512];
    let mut at = 0u64;
    while file.read_exact(&mut header).is_ok() && header[0] != 0 {
        let name = header[..100].split(|b| *b == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        if !matches!(header[156], b'0' | b'5' | 0) {
            return Err(format!("its member \"{}\" is not a plain file", name.escape_debug()));
        }
        let digits = header[124..136].iter().skip_while(|b| **b == b' ').take_while(|b| b.is_ascii_digit());
        let size =
            digits.fold(0u64, |size, digit| size.saturating_mul(8).saturating_add(u64::from(digit - b'0')));
        let start = at + 512;
        at = start.saturating_add(size.checked_next_multiple_of(512).unwrap_or(u64::MAX));
        if header[124] & 0x80 != 0 || start.saturating_add(size) > length {
            return Err(format!("its member \"{}\" is longer than the file", name.escape_debug()));
        }
        members.insert(name.trim_start_matches("./").to_owned(), (start, size));
        file.seek(SeekFrom::Start(at)).map_err(|e| e.to_string())?;
    }
    Ok(members)
}

struct Entry {
    class: String,
    from: u64,
    bytes: u64,
}

type Reader = Input<BufReader<Take<File>>>;

fn count(input: &mut Reader, heap: &mut Heap) -> Result<i64, String> {
    match load(input, heap)? {
        Value::Int(count) => Ok(count),
        _ => Err("a count is not an integer".to_owned()),
    }
}

/// Returns a key, as spelled in the table and in persistent ids.
fn key(heap: &Heap, value: Value) -> Result<String, String> {
    match value {
        Value::Int(n) => Ok(n.to_string()),
        Value::Text(_) => Ok(String::from_utf8_lossy(heap.text(value).unwrap_or_default()).into_owned()),
        _ => Err("a key is neither an integer nor a string".to_owned()),
    }
}

/// Reads the three values that describe a storage or a tensor.
fn triple(input: &mut Reader, heap: &mut Heap) -> Result<[Value; 3], String> {
    let value = load(input, heap)?;
    let items = heap.items(value).and_then(|items| <[Value; 3]>::try_from(items).ok());
    items.ok_or_else(|| "an entry of its tables does not have three fields".to_owned())
}

fn size(input: &mut Reader) -> Result<u64, String> {
    u64::try_from(i64::from_le_bytes(input.array()?)).map_err(|_| "a size in it is negative".to_owned())
}

fn storage_table(
    input: &mut Reader,
    from: u64,
    length: u64,
    heap: &mut Heap,
) -> Result<HashMap<String, Entry>, String> {
    let mut table = HashMap::new();
    for _ in 0..count(input, heap)? {
        let [name, _location, class] = triple(input, heap)?;
        let name = key(heap, name)?;
        let class = heap.global(class).map(|(_, name)| String::from_utf8_lossy(name).into_owned());
        let class = class.ok_or("a storage in it has no type")?;
        let bytes = size(input)?.saturating_mul(storage_dtype(&class).1);
        if input.at.saturating_add(bytes) > length {
            return Err(format!("its storage \"{}\" is longer than the file", name.escape_debug()));
        }
        heap.charge(name.len() + class.len() + 128)?;
        table.insert(name, Entry { class, from: from + input.at, bytes });
        input.skip(bytes)?;
    }
    let views = load(input, heap)?;
    for view in heap.items(views).unwrap_or_default().to_vec() {
        let fields = heap.items(view).and_then(|items| <[Value; 4]>::try_from(items).ok());
        let Some([target, root, Value::Int(offset), Value::Int(elements)]) = fields else {
            return Err("a view of a storage in it is damaged".to_owned());
        };
        let (target, root) = (key(heap, target)?, key(heap, root)?);
        let root = table.get(&root).ok_or("a view in it is of an unknown storage")?;
        let size = storage_dtype(&root.class).1;
        let scaled = |n: i64| u64::try_from(n).ok().and_then(|n| n.checked_mul(size));
        let (Some(offset), Some(bytes)) = (scaled(offset), scaled(elements)) else {
            return Err("a view of a storage in it is damaged".to_owned());
        };
        if offset.checked_add(bytes).is_none_or(|end| end > root.bytes) {
            return Err("a view in it reaches past its storage".to_owned());
        }
        let entry = Entry { class: root.class.clone(), from: root.from + offset, bytes };
        table.insert(target, entry);
    }
    Ok(table)
}

fn tensors(input: &mut Reader, table: &HashMap<String, Entry>, heap: &mut Heap) -> Result<(), String> {
    for _ in 0..count(input, heap)? {
        let [name, storage, _class] = triple(input, heap)?;
        let (name, storage) = (key(heap, name)?, key(heap, storage)?);
        let rank = u32::from_le_bytes(input.array()?);
        if rank > HIGHEST_RANK {
            return Err(format!("its tensor \"{}\" has {rank} dimensions", name.escape_debug()));
        }
        // The rank used to be written as eight bytes.
        input.skip(4)?;
        let shape = (0..rank).map(|_| size(input)).collect::<Result<Vec<u64>, String>>()?;
        let strides = (0..rank).map(|_| size(input)).collect::<Result<Vec<u64>, String>>()?;
        let offset = size(input)?;
        let entry = table.get(&storage).ok_or("a tensor in it has an unknown storage")?;
        let (dtype, element) = storage_dtype(&entry.class);
        let end = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |at, (n, stride)| at.checked_add(n.saturating_sub(1).checked_mul(*stride)?));
        let end = end.and_then(|last| last.checked_add(1)?.checked_mul(element));
        let inside = shape.contains(&0) || end.is_some_and(|end| end <= entry.bytes);
        let shape: Option<Vec<usize>> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
        let problem = match (dtype, inside) {
            (None, _) => Some(format!("has elements of type {}, unknown to albert", entry.class)),
            (_, false) => Some("reaches past the end of its storage".to_owned()),
            (Some(_), true) => None,
        };
        let stored =
            Storage { key: storage, class: entry.class.clone(), elements: entry.bytes / element, view: 0 };
        let Value::Storage(index) = heap.add_storage(stored)? else { continue };
        let dtype = dtype.unwrap_or(crate::checkpoint::tensor::Dtype::F32);
        let shape = shape.unwrap_or_default();
        let tensor = Described { problem, storage: index, dtype, offset, shape, strides };
        if let Value::Tensor(tensor) = heap.add_tensor(tensor)? {
            heap.by_id.insert(name, tensor);
        }
    }
    Ok(())
}
