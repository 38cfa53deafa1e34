//! A stack machine for pickles of every protocol (0 to 5). It never looks up classes or calls functions. A call in a
//! pickle becomes an object of that class, or a tensor if the function is one with which PyTorch rebuilds tensors.
//!
//! Reference: CPython's `pickletools.py`.

use std::io::BufRead;

use super::input::Input;
use super::memo::Memo;
use super::objects;
use super::value::{Heap, Node, Value};

/// Longer texts cannot be names and are skipped.
const LONGEST_TEXT: u64 = 1024;

/// Interprets one pickle, up to its `STOP`.
///
/// # Errors
/// Returns a message with the byte offset of the fault.
pub(in crate::checkpoint) fn load<R: BufRead>(
    input: &mut Input<R>,
    heap: &mut Heap,
) -> Result<Value, String> {
    let read = heap.read;
    let start = input.at;
    let mut machine = Machine { input, heap, stack: Vec::new(), marks: Vec::new(), memo: Memo::default() };
    loop {
        machine.heap.read = read + (machine.input.at - start);
        if let Some(value) = machine.step()? {
            return Ok(value);
        }
    }
}

struct Machine<'a, R> {
    input: &'a mut Input<R>,
    heap: &'a mut Heap,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Memo,
}

impl<R: BufRead> Machine<'_, R> {
    /// Interprets one opcode. Returns the result at `STOP`.
    fn step(&mut self) -> Result<Option<Value>, String> {
        let opcode = self.input.byte()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            b'(' => self.mark()?,
            b'0' => self.discard(),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push(top)?;
            }
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'I' | b'L' => self.number_line()?,
            b'F' => {
                self.input.line()?;
                self.push(Value::Opaque)?;
            }
            b'J' => {
                let n = i32::from_le_bytes(self.input.array()?);
                self.push(Value::Int(n.into()))?;
            }
            b'K' => {
                let n = self.input.byte()?;
                self.push(Value::Int(n.into()))?;
            }
            b'M' => {
                let n = u16::from_le_bytes(self.input.array()?);
                self.push(Value::Int(n.into()))?;
            }
            b'G' => {
                self.input.skip(8)?;
                self.push(Value::Opaque)?;
            }
            0x8a | 0x8b => self.long(opcode)?,
            b'S' | b'V' => self.text_line(opcode)?,
            b'U' | b'T' | b'X' | 0x8c | 0x8d => {
                let length = self.length(opcode)?;
                self.text(length)?;
            }
            b'C' | b'B' | 0x8e | 0x96 => {
                let length = self.length(opcode)?;
                self.input.skip(length)?;
                self.push(Value::Opaque)?;
            }
            b'P' | b'Q' => self.persistent(opcode)?,
            b'c' | 0x93 => self.global(opcode)?,
            0x82..=0x84 => {
                self.input.skip([1, 2, 4][usize::from(opcode - 0x82)])?;
                self.push(Value::Opaque)?;
            }
            b'R' | 0x81 | 0x92 | b'o' | b'i' => self.call(opcode)?,
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                self.build(target, state)?;
            }
            b'p' | b'q' | b'r' | 0x94 => self.remember(opcode)?,
            b'g' | b'h' | b'j' => self.recall(opcode)?,
            b']' | b'}' | b')' | 0x8f | b'l' | b'd' | b't' | 0x91 | 0x85..=0x87 => self.collection(opcode)?,
            b'a' | b'e' | 0x90 | b's' | b'u' => self.fill(opcode)?,
            // PROTO, FRAME, NEXT_BUFFER and READONLY_BUFFER.
            0x80 => self.input.skip(1)?,
            0x95 => self.input.skip(8)?,
            0x97 => self.push(Value::Opaque)?,
            0x98 => {}
            other => {
                return Err(format!("at byte {}: {other:#04x} is not a pickle opcode", self.input.at - 1));
            }
        }
        Ok(None)
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.stack.len() as u64 * 48 > self.heap.limit() {
            return Err("its pickle stacks up too many values".to_owned());
        }
        self.stack.push(value);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), String> {
        if self.marks.len() as u64 * 48 > self.heap.limit() {
            return Err("its pickle stacks up too many marks".to_owned());
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value, String> {
        if self.stack.len() <= self.floor() {
            return Err(format!("at byte {}: its pickle takes a value that is not there", self.input.at));
        }
        Ok(self.stack.pop().unwrap_or(Value::None))
    }

    fn top(&self) -> Result<Value, String> {
        self.stack.last().copied().ok_or_else(|| format!("at byte {}: nothing to work on", self.input.at))
    }

    /// `POP` removes the mark if there is nothing above it.
    fn discard(&mut self) {
        if self.stack.len() <= self.floor() {
            self.marks.pop();
        } else {
            self.stack.pop();
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().ok_or_else(|| format!("at byte {}: there is no mark", self.input.at))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn number_line(&mut self) -> Result<(), String> {
        let line = self.input.line()?;
        let value = match line.as_slice() {
            b"00" => Value::Bool(false),
            b"01" => Value::Bool(true),
            digits => std::str::from_utf8(digits)
                .ok()
                .and_then(|text| text.trim_end_matches('L').parse().ok())
                .map_or(Value::Opaque, Value::Int),
        };
        self.push(value)
    }

    /// Pushes an integer of any width. Integers beyond 64 bits are opaque.
    fn long(&mut self, opcode: u8) -> Result<(), String> {
        let length = match opcode {
            0x8a => u64::from(self.input.byte()?),
            _ => u64::from(u32::from_le_bytes(self.input.array()?)),
        };
        if length > 8 {
            self.input.skip(length)?;
            return self.push(Value::Opaque);
        }
        let bytes = self.input.bytes(length)?;
        let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn length(&mut self, opcode: u8) -> Result<u64, String> {
        Ok(match opcode {
            b'U' | 0x8c | b'C' => self.input.byte()?.into(),
            b'T' | b'X' | b'B' => u32::from_le_bytes(self.input.array()?).into(),
            _ => u64::from_le_bytes(self.input.array()?),
        })
    }

    fn text(&mut self, length: u64) -> Result<(), String> {
        if length > LONGEST_TEXT {
            self.input.skip(length)?;
            return self.push(Value::Opaque);
        }
        let bytes = self.input.bytes(length)?;
        let text = self.heap.add_text(&bytes)?;
        self.push(text)
    }

    fn text_line(&mut self, opcode: u8) -> Result<(), String> {
        let line = self.input.line()?;
        let text = match line.as_slice() {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] if opcode == b'S' => inner,
            whole => whole,
        };
        let value =
            if text.len() as u64 > LONGEST_TEXT { Value::Opaque } else { self.heap.add_text(text)? };
        self.push(value)
    }

    fn persistent(&mut self, opcode: u8) -> Result<(), String> {
        let id = if opcode == b'P' {
            let line = self.input.line()?;
            objects::printed_id(self.heap, &line)?
        } else {
            self.pop()?
        };
        let value = objects::persistent(self.heap, id)?;
        self.push(value)
    }

    fn global(&mut self, opcode: u8) -> Result<(), String> {
        let value = if opcode == b'c' {
            let (module, name) = (self.input.line()?, self.input.line()?);
            self.heap.add_global(&module, &name)?
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (module, name) {
                (Value::Text(module), Value::Text(name)) => self.heap.global_of(module, name)?,
                _ => Value::Opaque,
            }
        };
        self.push(value)
    }

    /// Handles all opcodes that request a call.
    fn call(&mut self, opcode: u8) -> Result<(), String> {
        let (class, args) = match opcode {
            b'o' => {
                let mut items = self.pop_to_mark()?;
                if items.is_empty() {
                    return Err(format!("at byte {}: an object without a class", self.input.at));
                }
                let class = items.remove(0);
                (class, self.heap.tuple(&items)?)
            }
            b'i' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                let items = self.pop_to_mark()?;
                (self.heap.add_global(&module, &name)?, self.heap.tuple(&items)?)
            }
            _ => {
                // NEWOBJ_EX also has keyword arguments. No tensor is built from these.
                if opcode == 0x92 {
                    self.pop()?;
                }
                let args = self.pop()?;
                (self.pop()?, args)
            }
        };
        let value = objects::call(self.heap, class, args)?;
        self.push(value)
    }

    fn build(&mut self, target: Value, state: Value) -> Result<(), String> {
        let Value::Node(i) = target else { return Ok(()) };
        if let Some(Node::Object(object)) = self.heap.nodes.get_mut(i as usize) {
            object.state = state;
        }
        Ok(())
    }

    fn memo_number(&mut self, opcode: u8) -> Result<u64, String> {
        Ok(match opcode {
            b'q' | b'h' => self.input.byte()?.into(),
            b'r' | b'j' => u32::from_le_bytes(self.input.array()?).into(),
            _ => {
                let line = self.input.line()?;
                let number = std::str::from_utf8(&line).ok().and_then(|text| text.parse().ok());
                number.ok_or_else(|| format!("at byte {}: a memo index is not a number", self.input.at))?
            }
        })
    }

    fn remember(&mut self, opcode: u8) -> Result<(), String> {
        let number = match opcode {
            0x94 => (self.memo.dense.len() + self.memo.sparse.len()) as u64,
            _ => self.memo_number(opcode)?,
        };
        let value = self.top()?;
        if self.memo.put(number, value) {
            self.heap.charge(24)?;
        }
        Ok(())
    }

    fn recall(&mut self, opcode: u8) -> Result<(), String> {
        let number = self.memo_number(opcode)?;
        let value = self
            .memo
            .get(number)
            .ok_or_else(|| format!("at byte {}: nothing is remembered as {number}", self.input.at))?;
        self.push(value)
    }

    fn collection(&mut self, opcode: u8) -> Result<(), String> {
        let value = match opcode {
            b']' | 0x8f => self.heap.add_node(Node::List(Vec::new()))?,
            b'}' => self.heap.add_node(Node::Dict(Vec::new()))?,
            b')' => self.heap.add_node(Node::Tuple(Vec::new()))?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.heap.tuple(&items)?
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let from = self.stack.len().checked_sub(count).filter(|from| *from >= self.floor());
                let from = from.ok_or_else(|| format!("at byte {}: a tuple of nothing", self.input.at))?;
                let items = self.stack.split_off(from);
                self.heap.tuple(&items)?
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                let dictionary = self.heap.add_node(Node::Dict(Vec::new()))?;
                self.heap.set(dictionary, &items)?;
                dictionary
            }
            _ => {
                let items = self.pop_to_mark()?;
                let list = self.heap.add_node(Node::List(Vec::new()))?;
                self.heap.append(list, &items)?;
                list
            }
        };
        self.push(value)
    }

    fn fill(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            b'a' => {
                let item = self.pop()?;
                let target = self.top()?;
                self.heap.append(target, &[item])
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                let target = self.top()?;
                self.heap.set(target, &[key, value])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                let target = self.top()?;
                self.heap.set(target, &items)
            }
            _ => {
                let items = self.pop_to_mark()?;
                let target = self.top()?;
                self.heap.append(target, &items)
            }
        }
    }
}
