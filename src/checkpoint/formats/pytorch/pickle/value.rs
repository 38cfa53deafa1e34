//! The values that a pickle describes: plain data, tensors, and opaque values for everything else.

use crate::checkpoint::tensor::Dtype;

/// A value on the machine's stack, in its memo or inside a node. Values are cheap to copy; the data that they refer to is
/// in the [`Heap`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::checkpoint) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A value that cannot contain a tensor: a float, bytes, a long text.
    Opaque,
    /// Index into the texts.
    Text(u32),
    /// A class or function that the pickle names. It is never looked up. Index into the globals.
    Global(u32),
    /// Index into the nodes.
    Node(u32),
    /// Index into the storages.
    Storage(u32),
    /// Index into the tensors.
    Tensor(u32),
}

impl Value {
    /// Returns true for a value that may be or contain a tensor.
    fn is_container(self) -> bool {
        matches!(self, Self::Node(_) | Self::Storage(_) | Self::Tensor(_))
    }
}

/// A value that contains other values.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) enum Node {
    Tuple(Vec<Value>),
    /// A list, set or deque.
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Object(Box<Object>),
}

/// An instance of a class that is not interpreted.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Object {
    /// The class, usually a [`Value::Global`].
    pub class: Value,
    /// The arguments of the call.
    pub args: Value,
    /// The state that `BUILD` set.
    pub state: Value,
    /// Items that were appended.
    pub items: Vec<Value>,
    /// Items that were set by key.
    pub entries: Vec<(Value, Value)>,
}

/// The location of a tensor's bytes in the file.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Storage {
    /// The key of the storage that contains the bytes.
    pub key: String,
    /// Name of the storage's class, such as `FloatStorage`.
    pub class: String,
    /// Number of elements of the complete storage.
    pub elements: u64,
    /// First element of the view, if the pickle refers to a view of the storage.
    pub view: u64,
}

/// A tensor as the pickle describes it.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Described {
    /// Why it cannot be read, if so; continues the sentence "tensor "x" ...".
    pub problem: Option<String>,
    pub storage: u32,
    pub dtype: Dtype,
    /// Index of its first element in the storage.
    pub offset: u64,
    pub shape: Vec<usize>,
    /// The strides, in elements.
    pub strides: Vec<u64>,
}

/// Maximum number of leaves that a collection keeps. Since leaves contain no tensors, further ones are dropped, so that
/// large plain data costs little.
const LEAVES: usize = 64;

/// Memory that any pickle may use, in bytes.
const BASE: u64 = 32 << 20;

/// Additional memory per byte of pickle: roughly what Python needs for lists of numbers and words.
const PER_BYTE: u64 = 32;

/// Everything that the pickles of one file describe, and its memory cost.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Heap {
    text: Vec<u8>,
    spans: Vec<(usize, u32)>,
    globals: Vec<(u32, u32)>,
    pub nodes: Vec<Node>,
    pub storages: Vec<Storage>,
    pub tensors: Vec<Described>,
    /// Tensors by persistent id, in files before 0.1.10.
    pub by_id: std::collections::HashMap<String, u32>,
    cost: u64,
    /// If true, collections keep all of their leaves.
    pub keep_leaves: bool,
    /// Pickle bytes read.
    pub read: u64,
    /// Maximum number of pickle bytes that count towards the limit. A compressed pickle can be far longer than its file.
    pub counted: u64,
}

impl Heap {
    /// Creates a heap for a file of this size in bytes.
    pub(crate) fn new(file: u64) -> Self {
        Self { counted: file.saturating_mul(4), ..Self::default() }
    }

    /// Returns the memory limit for the bytes read so far.
    pub(crate) fn limit(&self) -> u64 {
        BASE + PER_BYTE * self.read.min(self.counted)
    }

    /// Charges memory, in bytes, against the limit.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.cost += bytes as u64;
        if self.cost > self.limit() {
            let limit = self.limit() >> 20;
            return Err(format!("its pickle needs more than {limit} MiB of memory, too much for its size"));
        }
        Ok(())
    }

    pub(crate) fn add_text(&mut self, bytes: &[u8]) -> Result<Value, String> {
        self.charge(bytes.len() + 32)?;
        let index = index(self.spans.len())?;
        self.spans.push((self.text.len(), bytes.len() as u32));
        self.text.extend_from_slice(bytes);
        Ok(Value::Text(index))
    }

    pub(crate) fn add_node(&mut self, node: Node) -> Result<Value, String> {
        let held = match &node {
            Node::Tuple(items) | Node::List(items) => 16 * items.capacity(),
            Node::Dict(entries) => 32 * entries.capacity(),
            Node::Object(_) => size_of::<Object>(),
        };
        self.charge(96 + held)?;
        let index = index(self.nodes.len())?;
        self.nodes.push(node);
        Ok(Value::Node(index))
    }

    pub(crate) fn add_global(&mut self, module: &[u8], name: &[u8]) -> Result<Value, String> {
        let (Value::Text(module), Value::Text(name)) = (self.add_text(module)?, self.add_text(name)?) else {
            return Ok(Value::Opaque);
        };
        self.global_of(module, name)
    }

    pub(crate) fn global_of(&mut self, module: u32, name: u32) -> Result<Value, String> {
        self.charge(16)?;
        let index = index(self.globals.len())?;
        self.globals.push((module, name));
        Ok(Value::Global(index))
    }

    pub(crate) fn add_tensor(&mut self, tensor: Described) -> Result<Value, String> {
        self.charge(size_of::<Described>() + 48 * tensor.shape.len())?;
        let index = index(self.tensors.len())?;
        self.tensors.push(tensor);
        Ok(Value::Tensor(index))
    }

    pub(crate) fn add_storage(&mut self, storage: Storage) -> Result<Value, String> {
        self.charge(size_of::<Storage>() + storage.key.len() + storage.class.len() + 32)?;
        let index = index(self.storages.len())?;
        self.storages.push(storage);
        Ok(Value::Storage(index))
    }

    /// Returns the text of a text value.
    pub(crate) fn text(&self, value: Value) -> Option<&[u8]> {
        let Value::Text(i) = value else { return None };
        let (start, length) = *self.spans.get(i as usize)?;
        self.text.get(start..start + length as usize)
    }

    /// Returns the module and name of a class or function.
    pub(crate) fn global(&self, value: Value) -> Option<(&[u8], &[u8])> {
        let Value::Global(i) = value else { return None };
        let (module, name) = *self.globals.get(i as usize)?;
        Some((self.text(Value::Text(module))?, self.text(Value::Text(name))?))
    }

    /// Returns the classes and functions outside of PyTorch and Python's own containers, as `module.name`, each once.
    pub(crate) fn foreign_globals(&self) -> std::collections::BTreeSet<String> {
        let text =
            |i: u32| self.text(Value::Text(i)).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let names = self.globals.iter().filter_map(|(module, name)| Some((text(*module)?, text(*name)?)));
        let own = |module: &str| {
            let root = module.split('.').next().unwrap_or(module);
            ["torch", "collections", "builtins", "__builtin__", "copyreg", "copy_reg"].contains(&root)
        };
        names.filter(|(module, _)| !own(module)).map(|(module, name)| format!("{module}.{name}")).collect()
    }

    pub(crate) fn node(&self, value: Value) -> Option<&Node> {
        let Value::Node(i) = value else { return None };
        self.nodes.get(i as usize)
    }

    /// Returns the items of a tuple or list.
    pub(crate) fn items(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::Tuple(items) | Node::List(items) => Some(items),
            Node::Dict(_) | Node::Object(_) => None,
        }
    }

    /// Appends items to a list or an object. Does nothing for other values.
    pub(crate) fn append(&mut self, target: Value, items: &[Value]) -> Result<(), String> {
        let Value::Node(i) = target else { return Ok(()) };
        let kept = match self.nodes.get_mut(i as usize) {
            Some(Node::List(list)) => list,
            Some(Node::Object(object)) => &mut object.items,
            _ => return Ok(()),
        };
        let before = kept.len();
        for item in items {
            if self.keep_leaves || item.is_container() || kept.len() < LEAVES {
                kept.push(*item);
            }
        }
        let added = kept.len() - before;
        self.charge(24 * added)
    }

    /// Sets keys of a dictionary or an object. Does nothing for other values.
    pub(crate) fn set(&mut self, target: Value, pairs: &[Value]) -> Result<(), String> {
        let Value::Node(i) = target else { return Ok(()) };
        let kept = match self.nodes.get_mut(i as usize) {
            Some(Node::Dict(entries)) => entries,
            Some(Node::Object(object)) => &mut object.entries,
            _ => return Ok(()),
        };
        let before = kept.len();
        for pair in pairs.as_chunks::<2>().0 {
            if pair[1].is_container() || kept.len() < LEAVES {
                kept.push((pair[0], pair[1]));
            }
        }
        let added = kept.len() - before;
        self.charge(40 * added)
    }

    /// Adds a tuple. Long tuples are stored without their leaves.
    pub(crate) fn tuple(&mut self, items: &[Value]) -> Result<Value, String> {
        let items = match items.len() {
            0..=LEAVES => items.to_vec(),
            _ => items.iter().copied().filter(|item| item.is_container()).collect(),
        };
        self.add_node(Node::Tuple(items))
    }

    /// Returns the value that was last set for a key.
    pub(crate) fn entry(&self, dictionary: Value, key: &str) -> Option<Value> {
        let Node::Dict(entries) = self.node(dictionary)? else { return None };
        entries.iter().rev().find(|(k, _)| self.text(*k) == Some(key.as_bytes())).map(|(_, value)| *value)
    }
}

fn index(length: usize) -> Result<u32, String> {
    u32::try_from(length).map_err(|_| "its pickle holds too many values".to_owned())
}

/// Adds an instance of a class that is not interpreted.
pub(super) fn object(heap: &mut Heap, class: Value, args: Value) -> Result<Value, String> {
    let object = Object { class, args, state: Value::None, items: Vec::new(), entries: Vec::new() };
    heap.add_node(Node::Object(Box::new(object)))
}
