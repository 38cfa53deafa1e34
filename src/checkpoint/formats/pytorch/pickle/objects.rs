//! Represents calls in a pickle as data: PyTorch's tensors, Python's containers, and opaque objects for everything else.
//!
//! Reference: PyTorch's `torch/_utils.py`, `torch/_tensor.py` and `torch/serialization.py`.

use super::value::{Described, Heap, Node, Object, Storage, Value, object};
use crate::checkpoint::tensor::Dtype;

/// Maximum depth of nested calls.
const DEEPEST: usize = 4;

/// The highest rank of a tensor.
const HIGHEST_RANK: usize = 64;

/// The meaning of a class or function for a reader of weights.
#[derive(Clone, Copy)]
enum Known {
    /// A tensor, rebuilt from storage, offset, size and stride.
    Tensor,
    /// Like [`Known::Tensor`], followed by the element type.
    TypedTensor,
    /// Wraps its first argument, a tensor.
    Wrapper,
    /// Calls its first argument, a function, with the arguments that follow.
    FromType,
    /// A tensor that is not a plain array, and what it is instead.
    Special(&'static str),
    Dict,
    List,
    NewObject,
    Reconstructor,
    Other,
}

fn known(module: &[u8], name: &[u8]) -> Known {
    if module.starts_with(b"torch") {
        return match name {
            b"_rebuild_tensor" | b"_rebuild_tensor_v2" => Known::Tensor,
            b"_rebuild_tensor_v3" => Known::TypedTensor,
            b"_rebuild_parameter"
            | b"_rebuild_parameter_with_state"
            | b"_rebuild_device_tensor_from_cpu_tensor"
            | b"Parameter"
            | b"Buffer"
            | b"Variable" => Known::Wrapper,
            b"_rebuild_from_type" | b"_rebuild_from_type_v2" => Known::FromType,
            b"_rebuild_qtensor" => Known::Special("is a quantized tensor"),
            b"_rebuild_sparse_tensor" | b"_rebuild_sparse_csr_tensor" => Known::Special("is a sparse tensor"),
            b"_rebuild_nested_tensor" => Known::Special("is a nested tensor"),
            b"_rebuild_meta_tensor_no_storage" => Known::Special("is a meta tensor, which has no values"),
            b"_rebuild_device_tensor_from_numpy" | b"_rebuild_wrapper_subclass" => {
                Known::Special("is a tensor of a kind that albert does not read")
            }
            _ => Known::Other,
        };
    }
    match (module, name) {
        (b"collections", b"OrderedDict" | b"defaultdict" | b"Counter")
        | (b"builtins" | b"__builtin__", b"dict") => Known::Dict,
        (b"collections", b"deque") | (b"builtins" | b"__builtin__", b"list" | b"set" | b"frozenset") => {
            Known::List
        }
        (b"copyreg" | b"copy_reg", b"__newobj__" | b"__newobj_ex__") => Known::NewObject,
        (b"copyreg" | b"copy_reg", b"_reconstructor") => Known::Reconstructor,
        _ => Known::Other,
    }
}

/// Returns the result of calling `class` with `args`, as far as it can be represented as data.
pub(super) fn call(heap: &mut Heap, class: Value, args: Value) -> Result<Value, String> {
    called(heap, class, args, 0)
}

fn called(heap: &mut Heap, class: Value, args: Value, depth: usize) -> Result<Value, String> {
    let known = heap.global(class).map_or(Known::Other, |(module, name)| known(module, name));
    let arg = |heap: &Heap, i: usize| heap.items(args).and_then(|items| items.get(i)).copied();
    match known {
        Known::Tensor | Known::TypedTensor => {
            if let Some(items) = heap.items(args).filter(|items| items.len() >= 4) {
                let items = items.to_vec();
                let tensor = tensor(heap, &items, matches!(known, Known::TypedTensor));
                return heap.add_tensor(tensor);
            }
        }
        Known::Wrapper => {
            if let Some(tensor @ Value::Tensor(_)) = arg(heap, 0) {
                return Ok(tensor);
            }
        }
        Known::FromType => {
            if let (Some(function), Some(inner)) = (arg(heap, 0), arg(heap, 2))
                && depth < DEEPEST
            {
                return called(heap, function, inner, depth + 1);
            }
        }
        Known::Special(problem) => return heap.add_tensor(unreadable(problem.to_owned())),
        Known::Dict => return dictionary(heap, args),
        Known::List => {
            let items = arg(heap, 0).and_then(|list| heap.items(list)).unwrap_or_default().to_vec();
            let list = heap.add_node(Node::List(Vec::new()))?;
            heap.append(list, &items)?;
            return Ok(list);
        }
        Known::NewObject => {
            if let Some([class, rest @ ..]) = heap.items(args)
                && depth < DEEPEST
            {
                let (class, rest) = (*class, rest.to_vec());
                let rest = heap.tuple(&rest)?;
                return called(heap, class, rest, depth + 1);
            }
        }
        Known::Reconstructor => return reconstructed(heap, args),
        Known::Other => {}
    }
    object(heap, class, args)
}

/// `OrderedDict(pairs)`, `Counter(dictionary)`, `defaultdict(factory)`.
fn dictionary(heap: &mut Heap, args: Value) -> Result<Value, String> {
    let mut pairs = Vec::new();
    for arg in heap.items(args).unwrap_or_default() {
        match heap.node(*arg) {
            Some(Node::Dict(entries)) => pairs.extend(entries.iter().flat_map(|(k, v)| [*k, *v])),
            Some(Node::List(items) | Node::Tuple(items)) => {
                let pair = |item: &Value| <[Value; 2]>::try_from(heap.items(*item)?).ok();
                pairs.extend(items.iter().filter_map(pair).flatten());
            }
            Some(Node::Object(_)) | None => {}
        }
    }
    let dictionary = heap.add_node(Node::Dict(Vec::new()))?;
    heap.set(dictionary, &pairs)?;
    Ok(dictionary)
}

/// `_reconstructor(class, base, state)`: how protocols 0 and 1 write instances of subclasses of dict and list.
fn reconstructed(heap: &mut Heap, args: Value) -> Result<Value, String> {
    let items = heap.items(args).unwrap_or_default();
    let (class, state) =
        (items.first().copied().unwrap_or(Value::None), items.get(2).copied().unwrap_or(Value::None));
    let (mut items, mut entries) = (Vec::new(), Vec::new());
    match heap.node(state) {
        Some(Node::Dict(own)) => entries.clone_from(own),
        Some(Node::List(own) | Node::Tuple(own)) => items.clone_from(own),
        Some(Node::Object(_)) | None => {}
    }
    heap.charge(32 * entries.len() + 16 * items.len())?;
    let object = Object { class, args: Value::None, state: Value::None, items, entries };
    heap.add_node(Node::Object(Box::new(object)))
}

fn unreadable(problem: String) -> Described {
    Described {
        problem: Some(problem),
        storage: 0,
        dtype: Dtype::F32,
        offset: 0,
        shape: Vec::new(),
        strides: Vec::new(),
    }
}

/// Builds a tensor from the arguments of `_rebuild_tensor_v2` or `_rebuild_tensor_v3`.
fn tensor(heap: &Heap, items: &[Value], typed: bool) -> Described {
    let Value::Storage(index) = items[0] else {
        return unreadable("was written by pickle.dump alone; save it with torch.save".to_owned());
    };
    let storage = &heap.storages[index as usize];
    let sizes = (integers(heap, items[2]), integers(heap, items[3]));
    let (Value::Int(offset), (Some(shape), Some(strides))) = (items[1], sizes) else {
        return unreadable("has an invalid shape".to_owned());
    };
    let fits = shape.len() == strides.len() && shape.len() <= HIGHEST_RANK;
    let shape = shape.into_iter().map(|n| usize::try_from(n).ok()).collect::<Option<Vec<usize>>>();
    let strides = strides.into_iter().map(|n| u64::try_from(n).ok()).collect::<Option<Vec<u64>>>();
    let (Some(shape), Some(strides), Ok(offset), true) = (shape, strides, u64::try_from(offset), fits) else {
        return unreadable("has an invalid shape".to_owned());
    };
    let element = if typed {
        let name = items.get(6).and_then(|dtype| heap.global(*dtype)).map(|(_, name)| name);
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        dtype_of(&name).ok_or(name)
    } else {
        storage_dtype(&storage.class).0.ok_or_else(|| storage.class.replace("Storage", ""))
    };
    let dtype = match element {
        Ok(dtype) => dtype,
        Err(name) => {
            return unreadable(format!("has elements of type {}, unknown to albert", name.escape_debug()));
        }
    };
    // Flags for conjugate and negative views follow the hooks.
    let flags = items.get(if typed { 7 } else { 6 }).and_then(|metadata| heap.node(*metadata));
    let flagged =
        matches!(flags, Some(Node::Dict(flags)) if flags.iter().any(|(_, v)| *v == Value::Bool(true)));
    let offset = offset.saturating_add(storage.view);
    let last = shape.iter().zip(&strides).try_fold(offset, |at, (n, stride)| {
        at.checked_add((*n as u64).saturating_sub(1).checked_mul(*stride)?)
    });
    let size = dtype.size() as u64;
    let bytes = storage.elements.checked_mul(storage_dtype(&storage.class).1);
    let inside = last.and_then(|last| last.checked_add(1)?.checked_mul(size)).zip(bytes);
    let empty = shape.contains(&0);
    let problem = match inside {
        _ if flagged => Some("is a view that negates its values".to_owned()),
        Some((end, bytes)) if end <= bytes || empty => None,
        None if empty => None,
        _ => Some("reaches past the end of its storage".to_owned()),
    };
    Described { problem, storage: index, dtype, offset, shape, strides }
}

/// Returns the integers of a tuple, a list or a `torch.Size`.
fn integers(heap: &Heap, value: Value) -> Option<Vec<i64>> {
    let items = match heap.node(value)? {
        Node::Tuple(items) | Node::List(items) => items,
        Node::Object(object) => match heap.items(object.args)? {
            [inner @ Value::Node(_)] => heap.items(*inner)?,
            _ => return None,
        },
        Node::Dict(_) => return None,
    };
    items.iter().map(|item| if let Value::Int(n) = item { Some(*n) } else { None }).collect()
}

/// Returns the element type and element size in bytes of a storage class.
pub(in crate::checkpoint) fn storage_dtype(class: &str) -> (Option<Dtype>, u64) {
    let stem = class.strip_suffix("Storage").unwrap_or(class);
    let dtype = match stem {
        "Double" => Dtype::F64,
        "Float" => Dtype::F32,
        "Half" => Dtype::F16,
        "BFloat16" => Dtype::BF16,
        "Long" => Dtype::I64,
        "Int" => Dtype::I32,
        "Short" => Dtype::I16,
        "Char" => Dtype::I8,
        "Byte" => Dtype::U8,
        "Bool" => Dtype::Bool,
        "ComplexDouble" => return (None, 16),
        "ComplexFloat" => return (None, 8),
        "QInt32" => return (None, 4),
        _ => return (None, 1),
    };
    (Some(dtype), dtype.size() as u64)
}

/// Returns the element type with PyTorch's name `name`.
fn dtype_of(name: &str) -> Option<Dtype> {
    Some(match name {
        "float64" | "double" => Dtype::F64,
        "float32" | "float" => Dtype::F32,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "bool" => Dtype::Bool,
        _ => return None,
    })
}

/// Returns the object of a persistent id: a storage, the class of a module, or (before 0.1.10) a tensor.
pub(super) fn persistent(heap: &mut Heap, id: Value) -> Result<Value, String> {
    let key = match id {
        Value::Text(_) => heap.text(id).map(|text| String::from_utf8_lossy(text).into_owned()),
        Value::Int(n) => Some(n.to_string()),
        _ => None,
    };
    if let Some(key) = key {
        return Ok(heap.by_id.get(&key).map_or(Value::Opaque, |i| Value::Tensor(*i)));
    }
    let items = heap.items(id).unwrap_or_default().to_vec();
    match items.as_slice() {
        [class @ Value::Global(_), ..] => Ok(*class),
        [kind, class, ..] if heap.text(*kind) == Some(b"module") => Ok(*class),
        [kind, class, key, _location, Value::Int(elements), rest @ ..]
            if heap.text(*kind) == Some(b"storage") =>
        {
            let key = match key {
                Value::Int(n) => n.to_string(),
                key => String::from_utf8_lossy(heap.text(*key).unwrap_or_default()).into_owned(),
            };
            let class = heap.global(*class).map(|(_, name)| String::from_utf8_lossy(name).into_owned());
            let view = rest.first().and_then(|view| match heap.items(*view)? {
                [_, Value::Int(offset), ..] => u64::try_from(*offset).ok(),
                _ => None,
            });
            heap.add_storage(Storage {
                key,
                class: class.unwrap_or_default(),
                elements: u64::try_from(*elements).unwrap_or(0),
                view: view.unwrap_or(0),
            })
        }
        _ => Ok(Value::Opaque),
    }
}

/// Parses a persistent id of protocol 0, which is the printed form of a Python value.
pub(super) fn printed_id(heap: &mut Heap, line: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(line).into_owned();
    let fields: Option<Vec<&str>> = text
        .strip_prefix("('storage', <class 'torch.")
        .and_then(|rest| rest.strip_suffix(')'))
        .map(|rest| rest.split(", ").map(|field| field.trim_matches('\'')).collect());
    let Some([class, key, location, elements, ..]) = fields.as_deref() else { return heap.add_text(line) };
    let kind = heap.add_text(b"storage")?;
    let class = heap.add_global(b"torch", class.trim_end_matches("'>").as_bytes())?;
    let (key, location) = (heap.add_text(key.as_bytes())?, heap.add_text(location.as_bytes())?);
    let elements = elements.parse().map_or(Value::Opaque, Value::Int);
    heap.tuple(&[kind, class, key, location, elements])
}
