//! Collects the tensors inside a pickle's value, named by their path through dictionaries, lists and attributes.

use std::collections::HashMap;

use super::value::{Heap, Node, Object, Value};

/// Maximum depth of nested containers.
const DEEPEST: usize = 128;

/// Maximum number of visits of a container that several paths lead to.
const VISITS: u8 = 4;

/// Longer paths cannot be names.
const LONGEST_NAME: usize = 4096;

/// Returns all tensors inside `root`, by name. If a name occurs twice, the last tensor wins, as in Python.
///
/// # Errors
/// If the names need too much memory.
pub(in crate::checkpoint) fn named_tensors(
    heap: &mut Heap,
    root: Value,
) -> Result<HashMap<String, u32>, String> {
    let nodes = heap.nodes.len();
    heap.charge(nodes)?;
    // libtorch writes `|` for the dots in names.
    let script = matches!(heap.node(root), Some(Node::Object(object))
        if heap.global(object.class).is_some_and(|(module, _)| module.starts_with(b"__torch__")));
    let budget = heap.limit();
    let mut walk =
        Walker { heap, visits: vec![0; nodes], path: String::new(), names: HashMap::new(), script, budget };
    walk.value(root, 0)?;
    Ok(walk.names)
}

struct Walker<'a> {
    heap: &'a Heap,
    visits: Vec<u8>,
    path: String,
    names: HashMap<String, u32>,
    script: bool,
    /// Bytes that names may still use.
    budget: u64,
}

/// Set while a node is on the current path, so that cycles are not followed.
const OPEN: u8 = 0x80;

impl Walker<'_> {
    fn value(&mut self, value: Value, depth: usize) -> Result<(), String> {
        match value {
            Value::Tensor(tensor) if !self.path.is_empty() && self.path.len() <= LONGEST_NAME => {
                let bytes = self.path.len() as u64 + 64;
                self.budget =
                    self.budget.checked_sub(bytes).ok_or("the names of its tensors need too much memory")?;
                self.names.insert(self.path.clone(), tensor);
                Ok(())
            }
            Value::Node(i) => {
                let visits = self.visits[i as usize];
                if visits >= VISITS || depth >= DEEPEST || self.path.len() > LONGEST_NAME {
                    return Ok(());
                }
                self.visits[i as usize] = OPEN | visits;
                let done = self.node(i, depth + 1);
                self.visits[i as usize] = visits + 1;
                done
            }
            _ => Ok(()),
        }
    }

    fn node(&mut self, i: u32, depth: usize) -> Result<(), String> {
        let heap = self.heap;
        match &heap.nodes[i as usize] {
            Node::Tuple(items) | Node::List(items) => self.items(items, depth),
            Node::Dict(entries) => self.entries(entries, depth),
            Node::Object(object) => self.object(object, depth),
        }
    }

    fn items(&mut self, items: &[Value], depth: usize) -> Result<(), String> {
        for (i, item) in items.iter().enumerate() {
            if matches!(item, Value::Node(_) | Value::Tensor(_)) {
                self.inside(&i.to_string(), *item, depth)?;
            }
        }
        Ok(())
    }

    fn entries(&mut self, entries: &[(Value, Value)], depth: usize) -> Result<(), String> {
        for (i, (key, value)) in entries.iter().enumerate() {
            if matches!(value, Value::Node(_) | Value::Tensor(_)) {
                let part = self.part(*key, i);
                self.inside(&part, *value, depth)?;
            }
        }
        Ok(())
    }

    fn object(&mut self, object: &Object, depth: usize) -> Result<(), String> {
        let heap = self.heap;
        // A `torch.nn.Module` contributes what its state_dict() would contain.
        let modules = heap.entry(object.state, "_modules");
        let parameters = heap.entry(object.state, "_parameters");
        if modules.is_some() || parameters.is_some() {
            for part in [parameters, heap.entry(object.state, "_buffers"), modules].into_iter().flatten() {
                self.value(part, depth)?;
            }
            return Ok(());
        }
        // Attributes of a dict subclass often repeat its entries. Entries come last, so they take precedence.
        match heap.items(object.args) {
            Some([only]) => self.value(*only, depth)?,
            Some(several) => self.items(several, depth)?,
            None => {}
        }
        match heap.node(object.state) {
            Some(Node::Tuple(parts)) if parts.len() == 2 => {
                for part in parts {
                    self.value(*part, depth)?;
                }
            }
            _ => self.value(object.state, depth)?,
        }
        self.items(&object.items, depth)?;
        self.entries(&object.entries, depth)
    }

    fn inside(&mut self, part: &str, value: Value, depth: usize) -> Result<(), String> {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(part);
        let done = self.value(value, depth);
        self.path.truncate(length);
        done
    }

    fn part(&self, key: Value, place: usize) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match key {
            Value::Text(_) => {
                let name = text(self.heap.text(key).unwrap_or_default());
                if self.script { name.replace('|', ".") } else { name }
            }
            Value::Int(n) => n.to_string(),
            Value::Bool(b) => if b { "True" } else { "False" }.to_owned(),
            Value::None => "None".to_owned(),
            Value::Global(_) => match self.heap.global(key) {
                Some((module, name)) => format!("{}.{}", text(module), text(name)),
                None => format!("#{place}"),
            },
            _ => format!("#{place}"),
        }
    }
}
