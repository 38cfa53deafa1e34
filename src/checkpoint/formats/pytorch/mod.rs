//! Reads PyTorch files (`pytorch_model.bin`, `*.pt`, `*.ckpt`, rust-bert's `*.ot`). Only tensors are read, whatever else
//! a training program saves with them. Nothing in a file is executed.

mod pickle;
mod storage;
mod tar;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::tensor::{Dtype, Format, TensorInfo, is_plausible};
use crate::error::{Error, Result};
use pickle::{Described, Heap, Input, Storage, Value, load, named_tensors, storage_dtype};
use storage::{Ranges, Storages, ZipStorages};

/// The magic number at the start of files from before 1.6, as pickled by protocols 2 and up.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The magic number as pickled by protocols 0 and 1.
const MAGIC_TEXT: &[u8] = b"119547037146038801333356";
/// The version number that follows the magic number.
const VERSION: i64 = 1001;

/// One PyTorch file.
pub(crate) struct PyTorchFile {
    path: PathBuf,
    format: Format,
    storages: Storages,
    tensors: HashMap<String, (Described, Storage)>,
    infos: Vec<TensorInfo>,
    unreadable: Vec<(String, String)>,
    note: Option<String>,
}

/// The root object of a file's pickles, and its storages.
struct Opened {
    format: Format,
    storages: Storages,
    root: Value,
}

impl PyTorchFile {
    /// Reads the file's pickles and lists the tensors. Their bytes stay in the file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
        let mut head = Vec::new();
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        file.take(512).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as a PyTorch file: {problem}"));
        let mut heap = Heap::new(length);
        let opened = read(path, &head, length, &mut heap).map_err(bad)?;
        let names = named_tensors(&mut heap, opened.root).map_err(bad)?;

        let (mut tensors, mut infos, mut unreadable) = (HashMap::new(), Vec::new(), Vec::new());
        for (name, index) in names {
            let tensor = heap.tensors[index as usize].clone();
            let problem = tensor.problem.clone().or_else(|| {
                let fits = is_plausible(&tensor.shape, tensor.dtype, length);
                (!fits).then(|| format!("of shape {:?} is larger than the file can hold", tensor.shape))
            });
            if let Some(problem) = problem {
                unreadable.push((name, problem));
                continue;
            }
            let info = TensorInfo { name: name.clone(), shape: tensor.shape.clone(), dtype: tensor.dtype };
            infos.push(info);
            let storage = heap.storages[tensor.storage as usize].clone();
            tensors.insert(name, (tensor, storage));
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        unreadable.sort();
        if infos.is_empty() {
            let problem = match unreadable.first() {
                Some((name, problem)) => {
                    format!(
                        "is a PyTorch file without a tensor that can be read: tensor \"{name}\" {problem}"
                    )
                }
                None if heap.foreign_globals().iter().any(|class| class.starts_with("numpy.")) => {
                    "is a pickle of NumPy arrays, which albert does not read; save PyTorch tensors instead, made with \
                     torch.from_numpy"
                        .to_owned()
                }
                None => "is a PyTorch file without any tensor".to_owned(),
            };
            return Err(Error::bad_file(path, problem));
        }
        let (format, storages) = (opened.format, opened.storages);
        let note = skipped_objects(&heap);
        Ok(Self { path: path.to_owned(), format, storages, tensors, infos, unreadable, note })
    }
}

impl TensorReader for PyTorchFile {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let (tensor, storage) = self
            .tensors
            .get(name)
            .ok_or_else(|| Error::bad_file(&self.path, format!("has no tensor \"{name}\"")))?;
        let bad = |problem: String| Error::bad_file(&self.path, format!("tensor \"{name}\": {problem}"));
        let size = tensor.dtype.size();
        let count: usize = tensor.shape.iter().product();
        if count == 0 {
            return Ok(Vec::new());
        }
        let span = tensor.shape.iter().zip(&tensor.strides).map(|(n, stride)| (*n as u64 - 1) * stride);
        let window = (span.sum::<u64>() + 1) * size as u64;
        let window = self.storages.read(&storage.key, tensor.offset * size as u64, window).map_err(bad)?;
        let mut bytes = if is_contiguous(tensor) {
            window
        } else {
            gathered(&window, &tensor.shape, &tensor.strides, size)
        };
        if tensor.dtype == Dtype::Bool {
            bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Ok(bytes)
    }

    fn format(&self) -> Format {
        self.format
    }

    fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }
}

/// Names a few classes of Python objects in the pickle, which were neither constructed nor called.
fn skipped_objects(heap: &Heap) -> Option<String> {
    const SHOWN: usize = 3;
    const LONGEST: usize = 100;
    let classes = heap.foreign_globals();
    let shown = |name: &String| name.chars().take(LONGEST).collect::<String>();
    let named: Vec<String> = classes.iter().take(SHOWN).map(shown).collect();
    let more = classes.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty())
        .then(|| format!("skipped Python objects next to the weights: {}{more}", named.join(", ")))
}

fn is_contiguous(tensor: &Described) -> bool {
    let mut expected = 1u64;
    for (n, stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
        if *n != 1 && *stride != expected {
            return false;
        }
        expected *= *n as u64;
    }
    true
}

/// Gathers the elements of a strided tensor in row-major order. The caller has checked that the tensor fits its storage.
fn gathered(window: &[u8], shape: &[usize], strides: &[u64], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(shape.iter().product::<usize>() * size);
    let mut place = vec![0; shape.len()];
    let mut at = 0usize;
    loop {
        out.extend_from_slice(&window[at * size..(at + 1) * size]);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return out;
            }
            axis -= 1;
            place[axis] += 1;
            at += strides[axis] as usize;
            if place[axis] < shape[axis] {
                break;
            }
            at -= shape[axis] * strides[axis] as usize;
            place[axis] = 0;
        }
    }
}

/// Reads the pickles of a file that begins with `head`.
fn read(path: &Path, head: &[u8], length: u64, heap: &mut Heap) -> std::result::Result<Opened, String> {
    let start = &head[..head.len().min(64)];
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        let zip = ZipStorages::open(path)?;
        if zip.text("byteorder").is_some_and(|order| order != "little") {
            return Err(
                "it was written on a big-endian machine; load and save it again with PyTorch".to_owned()
            );
        }
        let root = zip.pickle(|reader| load(&mut Input::new(reader), heap))?;
        return Ok(Opened { format: Format::PyTorchZip, storages: Storages::Zip(zip), root });
    }
    if head.get(257..262) == Some(b"ustar") {
        let (root, ranges) = tar::read(path, heap)?;
        return Ok(Opened { format: Format::PyTorchTar, storages: Storages::Ranges(ranges), root });
    }
    let file = File::open(path).map_err(|e| e.to_string())?;
    let magic = |bytes: &[u8]| start.windows(bytes.len()).any(|window| window == bytes);
    if magic(&MAGIC) || magic(MAGIC_TEXT) {
        let (root, ranges) = legacy(file, length, heap)?;
        return Ok(Opened { format: Format::PyTorchLegacy, storages: Storages::Ranges(ranges), root });
    }
    if !head.first().is_some_and(|first| [0x80, b'(', b'}', b']', b'c'].contains(first)) {
        return Err("it is neither a zip or tar archive nor a pickle".to_owned());
    }
    let root = load(&mut Input::new(BufReader::new(file)), heap)?;
    let file = File::open(path).map_err(|e| e.to_string())?;
    let ranges = Ranges { file: Mutex::new(file), places: HashMap::new() };
    Ok(Opened { format: Format::Pickle, storages: Storages::Ranges(ranges), root })
}

/// Reads a file from before 1.6. It starts with pickles of the magic number, the version, the system, the value and the
/// keys of the storages. The storages follow, each preceded by its number of elements.
fn legacy(file: File, length: u64, heap: &mut Heap) -> std::result::Result<(Value, Ranges), String> {
    let mut input = Input::new(BufReader::new(file));
    load(&mut input, heap)?;
    match load(&mut input, heap)? {
        Value::Int(VERSION) => {}
        _ => return Err(format!("its version is not {VERSION}")),
    }
    let sys_info = load(&mut input, heap)?;
    tar::check_byte_order(heap, sys_info)?;
    let root = load(&mut input, heap)?;
    heap.keep_leaves = true;
    let keys = load_keys(&mut input, heap)?;
    let mut declared: HashMap<&str, (u64, u64)> = HashMap::new();
    for storage in &heap.storages {
        let element = storage_dtype(&storage.class).1;
        let bytes = storage.elements.checked_mul(element).ok_or("a storage in it is too long")?;
        let before = declared.insert(&storage.key, (bytes, element));
        if before.is_some_and(|before| before != (bytes, element)) {
            return Err(format!("its storage \"{}\" has two sizes", storage.key.escape_debug()));
        }
    }
    let mut places = HashMap::new();
    let mut at = input.at;
    let mut file = input.reader;
    for key in keys {
        let (bytes, element) = *declared
            .get(key.as_str())
            .ok_or_else(|| format!("its storage \"{}\" has no size", key.escape_debug()))?;
        let end = at.checked_add(8).and_then(|start| start.checked_add(bytes)).filter(|end| *end <= length);
        let end = end.ok_or_else(|| {
            format!(
                "its storage \"{}\" reaches past the end of the file; was its download cut off?",
                key.escape_debug()
            )
        })?;
        let mut count = [0; 8];
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.read_exact(&mut count))
            .map_err(|e| e.to_string())?;
        if u64::from_le_bytes(count) != bytes / element {
            return Err(format!(
                "its storage \"{}\" has {} elements and its pickle says {}",
                key.escape_debug(),
                i64::from_le_bytes(count),
                bytes / element
            ));
        }
        places.insert(key, (at + 8, bytes));
        at = end;
    }
    Ok((root, Ranges { file: Mutex::new(file.into_inner()), places }))
}

/// Reads the keys of the storages, in file order.
fn load_keys(
    input: &mut Input<BufReader<File>>,
    heap: &mut Heap,
) -> std::result::Result<Vec<String>, String> {
    let mut keys = Vec::new();
    let list = load(input, heap)?;
    let items = heap.items(list).ok_or("it has no list of its storages")?;
    for item in items {
        let key = heap.text(*item).ok_or("a storage key is not a string")?;
        keys.push(String::from_utf8_lossy(key).into_owned());
    }
    Ok(keys)
}
