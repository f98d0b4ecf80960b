//! A pickle machine that builds values and runs nothing.
//!
//! Python's pickle is a program for a stack machine that may import and call anything. This machine knows the same opcodes
//! (protocols 2 to 5) but `GLOBAL` only notes a name, and `REDUCE`, `NEWOBJ`, `BUILD` only note who was asked to do what with
//! which arguments: everything stays an inert node of an arena. What a node means is decided afterwards, elsewhere, from an
//! allow-list.
//!
//! # Limits
//! All work and memory are linear in the pickle's length, and each resource has a ceiling in [`limits`]. Nothing recurses:
//! nodes name each other by index, so neither nesting nor cycles nor shared references cost stack or time.
//!
//! # Limitations
//! Refused: the text opcodes of protocols 0 and 1 (except `GLOBAL`, which protocols 2 and 3 use too), the extension registry
//! (`EXT1` …), out-of-band buffers, more than one value left at `STOP`.

use crate::error::{Error, Result};
use crate::files::Reader;

/// Ceilings of the machine. Real checkpoints stay below a hundredth of each.
pub mod limits {
    /// Bytes of one pickle.
    pub const BYTES: usize = 64 << 20;
    /// Nodes of the arena.
    pub const NODES: usize = 4 << 20;
    /// Members of all containers together.
    pub const MEMBERS: usize = 16 << 20;
    /// Values on the stack.
    pub const STACK: usize = 1 << 20;
    /// Open `MARK`s: how deep one container can be written inside another.
    pub const MARKS: usize = 1000;
    /// Slots of the memo.
    pub const MEMO: usize = 4 << 20;
}

/// Index of a node.
pub(super) type Id = u32;

/// A value of the pickle.
#[derive(Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits: little-endian two's complement.
    Long(Box<[u8]>),
    Float(f64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    List(Vec<Id>),
    Tuple(Box<[Id]>),
    Dict(Vec<(Id, Id)>),
    Set(Vec<Id>),
    /// Module and name: two texts.
    Global(Id, Id),
    Object(Box<ObjectNode>),
    Storage(Box<StorageNode>),
}

/// What `REDUCE` or `NEWOBJ` would have made, and what was done to it.
#[derive(Debug)]
pub(super) struct ObjectNode {
    /// Who would be called: a global, or another object.
    pub callee: Id,
    /// A tuple.
    pub args: Id,
    /// Argument of `BUILD`.
    pub state: Option<Id>,
    /// Arguments of `SETITEMS`, for subclasses of `dict`.
    pub items: Vec<(Id, Id)>,
    /// Arguments of `APPENDS`, for subclasses of `list`.
    pub appended: Vec<Id>,
}

/// A storage that the pickle refers to by a persistent id.
#[derive(Debug)]
pub(super) struct StorageNode {
    /// The storage class: a global.
    pub class: Id,
    /// Text, as is the location.
    pub key: Id,
    pub location: Id,
    /// Elements of the class's type.
    pub numel: usize,
    /// Old files: this is the part of the storage that begins at `.0` and has `.1` elements.
    pub part: Option<(usize, usize)>,
}

/// The result of a run.
#[derive(Debug)]
pub(super) struct Pickle {
    pub nodes: Vec<Node>,
    pub root: Id,
    /// Bytes that the pickle takes up.
    pub len: usize,
}

/// Which persistent ids the container knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistent {
    /// None at all.
    None,
    /// `('storage', class, key, location, numel)`.
    Zip,
    /// The same with a sixth field, and `('module', class, file, source)`, which stands for the class.
    Legacy,
}

const NONE: Id = 0;
const TRUE: Id = 1;
const FALSE: Id = 2;
const EMPTY: Id = 3;
const UNSET: Id = Id::MAX;

/// Bytes of the name of a module, class or function.
const MAX_NAME: usize = 4096;

/// Runs the pickle at the beginning of `data`, which lies at byte `base` of what messages call "the pickle".
///
/// # Errors
/// Names the opcode, its offset and the reason.
pub(super) fn run(data: &[u8], base: usize, persistent: Persistent) -> Result<Pickle> {
    let nodes = vec![Node::None, Node::Bool(true), Node::Bool(false), Node::Tuple(Box::default())];
    let (stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new());
    let mut machine =
        Machine { input: Reader::new(data), base, op: 0, op_at: 0, persistent, nodes, stack, marks, memo, memoized: 0, members: 0 };
    loop {
        if machine.step()? {
            break;
        }
    }
    let root = machine.pop()?;
    if !machine.stack.is_empty() || !machine.marks.is_empty() {
        return Err(machine.refuse("values are left on the stack"));
    }
    Ok(Pickle { nodes: machine.nodes, root, len: machine.input.position() })
}

struct Machine<'a> {
    input: Reader<'a>,
    base: usize,
    /// The opcode that runs, and where it stands; for messages.
    op: u8,
    op_at: usize,
    persistent: Persistent,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: Vec<Id>,
    /// Slots that are set; `MEMOIZE` takes the slot of that number, as Python's machine does.
    memoized: usize,
    members: usize,
}

impl<'a> Machine<'a> {
    /// Runs one opcode; true after `STOP`.
    fn step(&mut self) -> Result<bool> {
        self.op_at = self.input.position();
        if self.op_at >= limits::BYTES {
            return Err(self.refuse("the pickle is longer than 64 MiB"));
        }
        let Ok(op) = self.input.u8() else {
            return Err(Error::new("cannot read the pickle").because(format!("it ends at byte {} without `STOP`", self.base + self.op_at)));
        };
        self.op = op;
        if (op == b'\x80') != (self.op_at == 0) {
            return Err(self.refuse(if op == b'\x80' { "it may only come first" } else { "a pickle begins with `PROTO`" }));
        }
        match op {
            b'\x80' => {
                let version = self.u8()?;
                if !(2..=5).contains(&version) {
                    return Err(self.refuse(&format!("protocol {version} is unknown (2 to 5 are known)")));
                }
            }
            b'\x95' => {
                let len = self.u64()?;
                if !usize::try_from(len).is_ok_and(|len| len <= self.input.rest().len()) {
                    return Err(self.refuse(&format!("the frame of {len} bytes is longer than the pickle")));
                }
            }
            b'.' => return Ok(true),
            b'N' => self.push(NONE)?,
            b'\x88' => self.push(TRUE)?,
            b'\x89' => self.push(FALSE)?,
            b')' => self.push(EMPTY)?,
            b'K' => {
                let value = i64::from(self.u8()?);
                self.push_new(Node::Int(value))?;
            }
            b'M' => {
                let value = i64::from(u16::from_le_bytes(self.array()?));
                self.push_new(Node::Int(value))?;
            }
            b'J' => {
                let value = i64::from(i32::from_le_bytes(self.array()?));
                self.push_new(Node::Int(value))?;
            }
            b'\x8a' => {
                let len = usize::from(self.u8()?);
                self.long(len)?;
            }
            b'\x8b' => {
                let len = self.len4()?;
                self.long(len)?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push_new(Node::Float(value))?;
            }
            b'\x8c' => {
                let len = usize::from(self.u8()?);
                self.text(len)?;
            }
            b'X' => {
                let len = self.len4()?;
                self.text(len)?;
            }
            b'\x8d' => {
                let len = self.len8()?;
                self.text(len)?;
            }
            b'U' | b'T' => {
                // A string of Python 2: text where it is text.
                let len = if op == b'U' { usize::from(self.u8()?) } else { self.len4()? };
                let bytes = self.take(len)?;
                let node = std::str::from_utf8(bytes).map_or_else(|_| Node::Bytes(bytes.into()), |text| Node::Str(text.into()));
                self.push_new(node)?;
            }
            b'C' | b'B' | b'\x8e' | b'\x96' => {
                let len = match op {
                    b'C' => usize::from(self.u8()?),
                    b'B' => self.len4()?,
                    _ => self.len8()?,
                };
                let bytes = self.take(len)?.into();
                self.push_new(Node::Bytes(bytes))?;
            }
            b']' => self.push_new(Node::List(Vec::new()))?,
            b'}' => self.push_new(Node::Dict(Vec::new()))?,
            b'\x8f' => self.push_new(Node::Set(Vec::new()))?,
            b'(' => {
                if self.marks.len() >= limits::MARKS {
                    return Err(self.refuse("containers are nested too deeply"));
                }
                self.marks.push(self.stack.len());
            }
            b't' => {
                let members = self.pop_mark()?;
                self.tuple(members)?;
            }
            b'\x85' | b'\x86' | b'\x87' => {
                let from = self.stack.len().checked_sub(usize::from(op - b'\x84')).filter(|&from| from >= self.floor());
                let from = from.ok_or_else(|| self.underflow())?;
                let members = self.stack.split_off(from);
                self.tuple(members)?;
            }
            b'\x91' => {
                let members = self.pop_mark()?;
                self.count(members.len())?;
                self.push_new(Node::Set(members))?;
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])?;
            }
            b'e' => {
                let values = self.pop_mark()?;
                self.append(values)?;
            }
            b'\x90' => {
                let values = self.pop_mark()?;
                self.count(values.len())?;
                let target = self.top()?;
                match self.node_mut(target) {
                    Some(Node::Set(members)) => members.extend(values),
                    _ => return Err(self.unfit(target, "a set")),
                }
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let values = self.pop_mark()?;
                self.set_items(values)?;
            }
            b'0' => {
                // POP also takes a mark away, as Python's does.
                if self.marks.last().is_some_and(|&mark| mark == self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.push(top)?;
            }
            b'q' => {
                let slot = usize::from(self.u8()?);
                self.memoize(slot)?;
            }
            b'r' => {
                let slot = self.len4()?;
                self.memoize(slot)?;
            }
            b'\x94' => {
                let slot = self.memoized;
                self.memoize(slot)?;
            }
            b'h' => {
                let slot = usize::from(self.u8()?);
                self.recall(slot)?;
            }
            b'j' => {
                let slot = self.len4()?;
                self.recall(slot)?;
            }
            b'c' => {
                let module = self.line()?;
                let module = self.add(Node::Str(module))?;
                let name = self.line()?;
                let name = self.add(Node::Str(name))?;
                self.push_new(Node::Global(module, name))?;
            }
            b'\x93' => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Some(Node::Str(module_text)), Some(Node::Str(name_text))) = (self.node(module), self.node(name)) else {
                    return Err(self.refuse("the module and the name must be text"));
                };
                if module_text.len().max(name_text.len()) > MAX_NAME {
                    return Err(self.refuse("a name is longer than 4096 bytes"));
                }
                self.push_new(Node::Global(module, name))?;
            }
            b'R' | b'\x81' => {
                let args = self.pop()?;
                let callee = self.pop()?;
                self.object(callee, args)?;
            }
            b'\x92' => {
                let kwargs = self.pop()?;
                let args = self.pop()?;
                let class = self.pop()?;
                if !matches!(self.node(kwargs), Some(Node::Dict(_))) {
                    return Err(self.unfit(kwargs, "a dict of keyword arguments"));
                }
                self.object(class, args)?;
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                match self.node_mut(target) {
                    Some(Node::Object(object)) if object.state.is_none() => object.state = Some(state),
                    Some(Node::Object(_)) => return Err(self.refuse("the object was given a state before")),
                    _ => return Err(self.unfit(target, "an object")),
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)?;
            }
            _ => {
                let why = match op {
                    b'\x82' | b'\x83' | b'\x84' => "the extension registry is not supported",
                    b'\x97' | b'\x98' => "out-of-band buffers are not supported",
                    b'I' | b'L' | b'F' | b'S' | b'V' | b'P' | b'p' | b'g' | b'i' | b'o' | b'd' | b'l' => {
                        "opcodes of protocols 0 and 1 are not supported"
                    }
                    _ => "there is no such opcode",
                };
                return Err(self.refuse(why));
            }
        }
        Ok(false)
    }

    fn append(&mut self, values: Vec<Id>) -> Result<()> {
        self.count(values.len())?;
        let target = self.top()?;
        match self.node_mut(target) {
            Some(Node::List(members)) => members.extend(values),
            Some(Node::Object(object)) => object.appended.extend(values),
            _ => return Err(self.unfit(target, "a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, values: Vec<Id>) -> Result<()> {
        if !values.len().is_multiple_of(2) {
            return Err(self.refuse("a key has no value"));
        }
        self.count(values.len())?;
        let target = self.top()?;
        let items = values.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        match self.node_mut(target) {
            Some(Node::Dict(members)) => members.extend(items),
            Some(Node::Object(object)) => object.items.extend(items),
            _ => return Err(self.unfit(target, "a dict")),
        }
        Ok(())
    }

    fn tuple(&mut self, members: Vec<Id>) -> Result<()> {
        self.count(members.len())?;
        self.push_new(Node::Tuple(members.into()))
    }

    fn object(&mut self, callee: Id, args: Id) -> Result<()> {
        if !matches!(self.node(callee), Some(Node::Global(..) | Node::Object(_))) {
            return Err(self.unfit(callee, "a class or function"));
        }
        if !matches!(self.node(args), Some(Node::Tuple(_))) {
            return Err(self.unfit(args, "a tuple of arguments"));
        }
        self.count(4)?;
        self.push_new(Node::Object(Box::new(ObjectNode { callee, args, state: None, items: Vec::new(), appended: Vec::new() })))
    }

    fn persistent(&mut self, id: Id) -> Result<()> {
        let Some(Node::Tuple(fields)) = self.node(id) else {
            return Err(self.unfit(id, "a tuple as persistent id"));
        };
        let field = |i: usize| fields.get(i).and_then(|&id| self.node(id));
        let count = |node: Option<&Node>| match node {
            Some(&Node::Int(n)) => usize::try_from(n).ok(),
            _ => None,
        };
        let Some(Node::Str(tag)) = field(0) else {
            return Err(self.refuse("the persistent id has no name"));
        };
        match (&**tag, self.persistent) {
            ("storage", Persistent::Zip | Persistent::Legacy) => {
                let &[_, class, key, location, _, ..] = &**fields else {
                    return Err(self.refuse(&format!("a storage with {} fields is unknown", fields.len())));
                };
                let (Some(Node::Global(..)), Some(Node::Str(_)), Some(Node::Str(_)), Some(numel)) =
                    (field(1), field(2), field(3), count(field(4)))
                else {
                    return Err(self.refuse("a storage needs a class, a key, a location and a size of 0 or more"));
                };
                let part = match (field(5), self.persistent) {
                    (None, _) if fields.len() == 5 => None,
                    (Some(Node::None), Persistent::Legacy) if fields.len() == 6 => None,
                    (Some(Node::Tuple(part)), Persistent::Legacy) if fields.len() == 6 => {
                        let part = |i: usize| count(part.get(i).and_then(|&id| self.node(id)));
                        let part = part(1).zip(part(2));
                        Some(part.ok_or_else(|| self.refuse("the part of a storage needs an offset and a size of 0 or more"))?)
                    }
                    _ => return Err(self.refuse(&format!("a storage with {} fields is unknown", fields.len()))),
                };
                let storage = StorageNode { class, key, location, numel, part };
                self.push_new(Node::Storage(Box::new(storage)))
            }
            ("module", Persistent::Legacy) => match (fields.get(1), field(1)) {
                (Some(&class), Some(Node::Global(..))) => self.push(class),
                _ => Err(self.refuse("the persistent id of a module needs a class")),
            },
            (tag, _) => {
                Err(self.refuse(&format!("the persistent id `{}` is unknown", tag.chars().take(60).collect::<String>().escape_debug())))
            }
        }
    }

    fn long(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        let node = if len <= 8 {
            let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
            let mut wide = [fill; 8];
            wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            Node::Int(i64::from_le_bytes(wide))
        } else {
            Node::Long(bytes.into())
        };
        self.push_new(node)
    }

    fn text(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.refuse("the text is not UTF-8"))?;
        self.push_new(Node::Str(text.into()))
    }

    /// A line of a `GLOBAL`, without its end.
    fn line(&mut self) -> Result<Box<str>> {
        let rest = self.input.rest();
        let len = rest.iter().take(MAX_NAME).position(|&byte| byte == b'\n');
        let len = len.ok_or_else(|| self.refuse("a name is cut off or longer than 4096 bytes"))?;
        let bytes = self.take(len + 1)?;
        let text = std::str::from_utf8(bytes.get(..len).unwrap_or_default());
        text.map(Box::from).map_err(|_| self.refuse("a name is not UTF-8"))
    }

    fn memoize(&mut self, slot: usize) -> Result<()> {
        let top = self.top()?;
        // Picklers fill slots in order, so none can be beyond the number of opcodes so far.
        let limit = limits::MEMO.min(self.input.position() + 256);
        if slot >= limit {
            return Err(self.refuse(&format!("memo slot {slot} is beyond the limit of {limit}")));
        }
        if slot >= self.memo.len() {
            self.memo.resize(slot + 1, UNSET);
        }
        if let Some(entry) = self.memo.get_mut(slot) {
            self.memoized += usize::from(*entry == UNSET);
            *entry = top;
        }
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Result<()> {
        match self.memo.get(slot) {
            Some(&id) if id != UNSET => self.push(id),
            _ => Err(self.refuse(&format!("memo slot {slot} was never set"))),
        }
    }

    fn push(&mut self, id: Id) -> Result<()> {
        if self.stack.len() >= limits::STACK {
            return Err(self.refuse(&format!("more than {} values are on the stack", limits::STACK)));
        }
        self.stack.push(id);
        Ok(())
    }

    fn push_new(&mut self, node: Node) -> Result<()> {
        let id = self.add(node)?;
        self.push(id)
    }

    fn add(&mut self, node: Node) -> Result<Id> {
        if self.nodes.len() >= limits::NODES {
            return Err(self.refuse(&format!("the pickle holds more than {} values", limits::NODES)));
        }
        let id = self.nodes.len() as Id;
        self.nodes.push(node);
        Ok(id)
    }

    /// Accounts for `members` more entries of containers.
    fn count(&mut self, members: usize) -> Result<()> {
        self.members = self.members.saturating_add(members);
        if self.members > limits::MEMBERS {
            return Err(self.refuse(&format!("containers hold more than {} values", limits::MEMBERS)));
        }
        Ok(())
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(self.underflow()),
        }
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| self.refuse("there is no `MARK`"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn node_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        self.input.take(len).map_err(|cut| self.refuse(&format!("it announces {len} bytes, {} are left", cut.left)))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("the slice has N bytes"))
    }

    fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn len4(&mut self) -> Result<usize> {
        let len = self.array().map(u32::from_le_bytes)?;
        Ok(len as usize)
    }

    fn len8(&mut self) -> Result<usize> {
        let len = self.u64()?;
        usize::try_from(len).map_err(|_| self.refuse(&format!("it announces {len} bytes")))
    }

    fn underflow(&self) -> Error {
        self.refuse("the stack holds too few values")
    }

    fn unfit(&self, id: Id, wanted: &str) -> Error {
        let found = self.node(id).map_or("nothing", kind);
        self.refuse(&format!("it needs {wanted}, the stack holds {found}"))
    }

    fn refuse(&self, why: &str) -> Error {
        let name = opcode_name(self.op);
        let name = if name.is_empty() { format!("{:#04x}", self.op) } else { name.to_owned() };
        Error::new("cannot read the pickle").because(format!("opcode `{name}` at byte {}: {why}", self.base + self.op_at))
    }
}

impl Pickle {
    /// The node of that index.
    pub fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }

    /// The text of a node that is one; empty otherwise.
    pub fn text(&self, id: Id) -> &str {
        match self.node(id) {
            Node::Str(text) => text,
            _ => "",
        }
    }
}

/// What a node is called in messages.
pub(super) fn kind(node: &Node) -> &'static str {
    match node {
        Node::None => "`None`",
        Node::Bool(_) => "a bool",
        Node::Int(_) | Node::Long(_) => "an integer",
        Node::Float(_) => "a float",
        Node::Str(_) => "text",
        Node::Bytes(_) => "bytes",
        Node::List(_) => "a list",
        Node::Tuple(_) => "a tuple",
        Node::Dict(_) => "a dict",
        Node::Set(_) => "a set",
        Node::Global(..) => "a class or function",
        Node::Object(_) => "an object",
        Node::Storage(_) => "a storage",
    }
}

fn opcode_name(op: u8) -> &'static str {
    match op {
        b'\x80' => "PROTO",
        b'\x81' => "NEWOBJ",
        b'\x82' => "EXT1",
        b'\x83' => "EXT2",
        b'\x84' => "EXT4",
        b'\x85' => "TUPLE1",
        b'\x86' => "TUPLE2",
        b'\x87' => "TUPLE3",
        b'\x88' => "NEWTRUE",
        b'\x89' => "NEWFALSE",
        b'\x8a' => "LONG1",
        b'\x8b' => "LONG4",
        b'\x8c' => "SHORT_BINUNICODE",
        b'\x8d' => "BINUNICODE8",
        b'\x8e' => "BINBYTES8",
        b'\x8f' => "EMPTY_SET",
        b'\x90' => "ADDITEMS",
        b'\x91' => "FROZENSET",
        b'\x92' => "NEWOBJ_EX",
        b'\x93' => "STACK_GLOBAL",
        b'\x94' => "MEMOIZE",
        b'\x95' => "FRAME",
        b'\x96' => "BYTEARRAY8",
        b'\x97' => "NEXT_BUFFER",
        b'\x98' => "READONLY_BUFFER",
        b'(' => "MARK",
        b'.' => "STOP",
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'J' => "BININT",
        b'K' => "BININT1",
        b'L' => "LONG",
        b'M' => "BININT2",
        b'N' => "NONE",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        b'R' => "REDUCE",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'X' => "BINUNICODE",
        b'a' => "APPEND",
        b'b' => "BUILD",
        b'c' => "GLOBAL",
        b'd' => "DICT",
        b'}' => "EMPTY_DICT",
        b'e' => "APPENDS",
        b'g' => "GET",
        b'h' => "BINGET",
        b'i' => "INST",
        b'j' => "LONG_BINGET",
        b'l' => "LIST",
        b']' => "EMPTY_LIST",
        b'o' => "OBJ",
        b'p' => "PUT",
        b'q' => "BINPUT",
        b'r' => "LONG_BINPUT",
        b's' => "SETITEM",
        b't' => "TUPLE",
        b')' => "EMPTY_TUPLE",
        b'u' => "SETITEMS",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        b'G' => "BINFLOAT",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
