//! Known kinds of hostile files. Each is refused with a message that names the file, or is read in little memory.
//! Nothing outside its directory is touched. `hostile_formats.rs` damages files at random.

#[path = "common/archive.rs"]
mod archive;
mod common;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use albert::checkpoint::Tensors;
use archive::{Member, tar, zip};
use common::golden;

/// Memory that reading may take on top of the test's own.
const MEMORY: u64 = 128 << 20;

/// Serializes the tests, because they measure the memory of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

struct Scratch {
    directory: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Scratch {
    fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { directory: tempfile::tempdir().expect("a directory"), _alone: alone }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file and reads all of it.
    fn read(&self, name: &str, bytes: &[u8]) -> Result<usize, String> {
        std::fs::write(self.path(name), bytes).expect("writes");
        read_all(&self.path(name))
    }

    /// Asserts that the file is refused with a message that names it and contains `part`.
    fn refused(&self, name: &str, bytes: &[u8], part: &str) {
        std::fs::write(self.path(name), bytes).expect("writes");
        refused(&self.path(name), part);
    }
}

fn refused(path: &Path, part: &str) {
    let error = read_all(path).expect_err("refused");
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert!(error.contains(part), "{error:?} lacks {part:?}");
    assert!(error.len() < 2000, "{} bytes of message", error.len());
}

/// A field of `/proc/self/status`, converted from kilobytes to bytes.
fn status(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// Opens a file, reads every tensor in bounded memory and returns their number.
fn read_all(path: &Path) -> Result<usize, String> {
    // Only Linux reports the peak and allows a reset.
    let measured = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = status("VmRSS");
    let result = Tensors::open(path).map_err(|e| e.to_string()).and_then(|tensors| {
        for info in tensors.infos() {
            let (bytes, dtype) = tensors.read(&info.name).map_err(|e| e.to_string())?;
            assert_eq!(bytes.len(), info.shape.iter().product::<usize>() * dtype.size());
        }
        Ok(tensors.infos().len())
    });
    if let (true, Some(before), Some(peak)) = (measured, before, status("VmHWM")) {
        let taken = peak.saturating_sub(before);
        assert!(taken < MEMORY, "{}: {} MiB", path.display(), taken >> 20);
    }
    result
}

// ---------------------------------------------------------------- PyTorch

/// A pickle of one tensor of floats, with the number of elements of its storage, its shape and its strides.
fn tensor_pickle(storage: u32, shape: &[u32], strides: &[u32]) -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |n: &u32| [&b"J"[..], &n.to_le_bytes()].concat();
    let numbers = |list: &[u32]| [vec![b'('], list.iter().flat_map(number).collect(), vec![b't']].concat();
    let mut out = b"\x80\x02}".to_vec();
    out.extend(text("w"));
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    out.extend(text("storage"));
    out.extend(b"ctorch\nFloatStorage\n");
    out.extend([text("0"), text("cpu"), number(&storage)].concat());
    out.extend(b"tQ");
    out.extend([number(&0), numbers(shape), numbers(strides)].concat());
    out.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

fn model(pickle: Member, storage: Member) -> Vec<u8> {
    zip(&[pickle, storage], false)
}

#[test]
fn a_zip_that_is_what_it_says_is_read() {
    let s = Scratch::new();
    let pickle = tensor_pickle(6, &[2, 3], &[3, 1]);
    for storage in [Member::stored("m/data/0", &[1; 24]), Member::deflated("m/data/0", &[1; 24])] {
        assert_eq!(s.read("a.bin", &model(Member::deflated("m/data.pkl", &pickle), storage)), Ok(1));
    }
}

#[test]
fn zip_bombs() {
    let s = Scratch::new();
    let small = || Member::stored("m/data/0", &[0; 24]);
    // A pickle that inflates to 90 MB, within the limits of the format's reader, and one that declares four bytes.
    let lists = b"]".repeat(90 << 20);
    s.refused("a.bin", &model(Member::deflated("m/data.pkl", &lists), small()), "its pickle needs more than");
    let liar = Member { size: 4, ..Member::deflated("m/data.pkl", &lists) };
    s.refused("a.bin", &model(liar, small()), "cannot be read as a PyTorch file");
    drop(lists);
    // A megabyte of objects.
    let most = b"]".repeat(1 << 20);
    s.refused(
        "a.bin",
        &model(Member::deflated("m/data.pkl", &most), small()),
        "cannot be read as a PyTorch file",
    );
    // A storage of 400 MB in 400 kB, read in full and in part, and one that declares four gigabytes.
    let zeros = vec![0; 400 << 20];
    let storage = Member::deflated("m/data/0", &zeros);
    drop(zeros);
    let elements = 100 << 20;
    let whole = Member::stored("m/data.pkl", &tensor_pickle(elements, &[elements], &[1]));
    s.refused(
        "a.bin",
        &zip(&[whole, storage], false),
        "tensor \"w\" of shape [104857600] is larger than the file can hold",
    );
    let four = Member::stored("m/data.pkl", &tensor_pickle(u32::MAX >> 2, &[u32::MAX >> 2], &[1]));
    let claims = Member { size: u32::MAX, ..small() };
    s.refused("a.bin", &zip(&[four, claims], false), "is larger than the file can hold");
    let part = Member::stored("m/data.pkl", &tensor_pickle(1000, &[1000], &[1]));
    let claims = Member { size: 4000, ..small() };
    s.refused("a.bin", &zip(&[part, claims], false), "tensor \"w\"");
    // One number, viewed as half a billion by strides of zero.
    let broad = Member::stored("m/data.pkl", &tensor_pickle(6, &[1 << 15, 1 << 14], &[0, 0]));
    s.refused("a.bin", &model(broad, small()), "of shape [32768, 16384] is larger than the file can hold");
}

#[test]
fn zips_of_many_or_overlapping_or_climbing_members() {
    let s = Scratch::new();
    let pickle = || Member::stored("m/data.pkl", &tensor_pickle(6, &[6], &[1]));
    // Every entry points to the first member, whose bytes are read again but never exceeded.
    let data = |i: usize| Member::stored(&format!("m/data/{i}"), &[0; 24]);
    let same: Vec<Member> = std::iter::once(pickle()).chain((0..1000).map(data)).collect();
    assert_eq!(s.read("a.bin", &zip(&same, true)), Ok(1));
    let many: Vec<Member> = std::iter::once(pickle())
        .chain((0..60_000).map(|i| Member::stored(&format!("m/data/{i}"), b"")))
        .collect();
    s.refused("a.bin", &zip(&many, false), "tensor \"w\"");
    // Paths that lead outside are only names of members.
    let climbing = [
        pickle(),
        Member::stored("m/data/0", &[0; 24]),
        Member::stored("../../out", b"x"),
        Member::stored("/tmp/out", b"x"),
    ];
    assert_eq!(s.read("a.bin", &zip(&climbing, false)), Ok(1));
    assert_eq!(std::fs::read_dir(s.directory.path()).expect("reads").count(), 1);
    assert!(!s.directory.path().parent().and_then(Path::parent).expect("above").join("out").exists());
    let outside = zip(
        &[
            Member::stored("../data.pkl", &tensor_pickle(6, &[6], &[1])),
            Member::stored("../data/0", &[0; 24]),
        ],
        false,
    );
    assert_eq!(s.read("a.bin", &outside), Ok(1));
}

/// Every way in which a pickle can request a call.
#[test]
fn pickles_that_call_something_call_nothing() {
    let s = Scratch::new();
    let witness = s.path("ran");
    let command = format!("touch {}", witness.display());
    let text = [&b"X"[..], &(command.len() as u32).to_le_bytes(), command.as_bytes()].concat();
    let python = format!("__import__('os').system('{command}')");
    let code = [&b"X"[..], &(python.len() as u32).to_le_bytes(), python.as_bytes()].concat();
    let call = |before: &[u8], argument: &[u8], after: &[u8]| [b"\x80\x04", before, argument, after].concat();
    for (what, pickle) in [
        ("REDUCE", call(b"cos\nsystem\n", &text, b"\x85R.")),
        ("eval", call(b"cbuiltins\neval\n", &code, b"\x85R.")),
        ("exec", call(b"c__builtin__\nexec\n", &code, b"\x85R.")),
        ("STACK_GLOBAL", call(b"\x8c\x02os\x8c\x06system\x93", &text, b"\x85R.")),
        ("INST", call(b"(", &text, b"ios\nsystem\n.")),
        ("OBJ", call(b"(cos\nsystem\n", &text, b"o.")),
        ("NEWOBJ", call(b"csubprocess\nPopen\n", &text, b"\x85\x81.")),
        ("NEWOBJ_EX", call(b"csubprocess\nPopen\n", &text, b"\x85}\x92.")),
        ("BUILD", call(b"cos\nsystem\n)\x81}X\x01\0\0\0a", &text, b"sb.")),
        ("nested", call(b"cbuiltins\nmap\ncos\nsystem\n", &text, b"\x85\x86R.")),
        (
            "getattr",
            call(
                b"cbuiltins\ngetattr\ncos\nsystem\n",
                b"\x8c\x08__call__",
                &[&b"\x86R"[..], &text, b"\x85R."].concat(),
            ),
        ),
        ("EXT1", call(b"\x82\x01", &text, b"\x85R.")),
        ("PERSID", call(b"", &text, b"Q.")),
        ("in a dictionary", call(b"}X\x01\0\0\0acos\nsystem\n", &text, b"\x85Rs.")),
    ] {
        let zipped = zip(&[Member::stored("m/data.pkl", &pickle), Member::stored("m/data/0", b"")], false);
        for bytes in [&pickle, &zipped] {
            let error = s.read("a.bin", bytes).expect_err(what);
            assert!(error.contains("a.bin") && error.contains("PyTorch file"), "{what}: {error}");
            assert!(!witness.exists(), "{what} was executed");
        }
    }
}

#[test]
fn pickles_that_unfold() {
    let s = Scratch::new();
    let wrapped = |body: &[u8]| [b"\x80\x02", body, b"."].concat();
    // A billion laughs: tuples of two, lists of ten and strings, all made of memoized values.
    let twos = wrapped(&[b")q\x00", &b"h\x00h\x00\x86q\x00".repeat(60)[..]].concat());
    let tens =
        wrapped(&[b"]q\x00", &[b"](", &b"h\x00".repeat(10)[..], b"eq\x00"].concat().repeat(30)[..]].concat());
    let copies = wrapped(&[b")", &b"2\x86".repeat(64)[..]].concat());
    let long = [&b"X"[..], &(1u32 << 19).to_le_bytes(), &b"x".repeat(1 << 19), b"q\x00]("].concat();
    let strings = wrapped(&[&long[..], &b"h\x00".repeat(100_000), b"e"].concat());
    for (what, pickle) in [("twos", &twos), ("tens", &tens), ("copies", &copies), ("strings", &strings)] {
        let error = s.read("a.bin", pickle).expect_err(what);
        assert!(
            error.contains("without any tensor") || error.contains("its pickle needs"),
            "{what}: {error}"
        );
        let zipped = zip(&[Member::deflated("m/data.pkl", pickle), Member::stored("m/data/0", b"")], false);
        let error = s.read("a.bin", &zipped).expect_err(what);
        assert!(
            error.contains("without any tensor") || error.contains("its pickle needs"),
            "{what}: {error}"
        );
    }
    // Deep nesting: lists in lists, tuples in tuples, marks.
    for (what, pickle) in [
        ("lists", wrapped(&[b"]".repeat(100_000), b"a".repeat(99_999)].concat())),
        ("tuples", wrapped(&[&b")"[..], &b"\x85".repeat(100_000)].concat())),
        ("marks", wrapped(&b"(".repeat(500_000))),
    ] {
        assert!(s.read("a.bin", &pickle).is_err(), "{what}");
    }
    // Declared lengths: strings and numbers of gigabytes.
    for claim in [
        &b"X\xff\xff\xff\xffa"[..],
        b"\x8b\xff\xff\xff\x7fa",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa",
        b"B\xff\xff\xff\xffa",
    ] {
        s.refused("a.bin", &wrapped(claim), "PyTorch file");
    }
    // Before 1.6, the pickle is uncompressed in the file: 50 MB of empty lists.
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}X\r\0\0\0little_endian\x88s.\x80\x02";
    let lists = [&magic[..], &b"]".repeat(50 << 20)].concat();
    s.refused("a.bin", &lists, "its pickle needs more than");
    s.refused("a.bin", &lists[magic.len() - 2..], "its pickle needs more than");
}

#[test]
fn tar_archives_of_links_and_holes() {
    let s = Scratch::new();
    let rest = [("pickle", b'0', "", 1, &b"."[..]), ("tensors", b'0', "", 1, b".")];
    let with = |member| tar(&[&[member][..], &rest].concat());
    s.refused(
        "a.tar",
        &with(("storages", b'2', "/etc/passwd", 0, b"")),
        "its member \"storages\" is not a plain file",
    );
    s.refused(
        "a.tar",
        &with(("storages", b'1', "../../etc/passwd", 0, b"")),
        "its member \"storages\" is not a plain file",
    );
    // A sparse member of eight gigabytes without data.
    s.refused("a.tar", &with(("storages", b'S', "", 0, b"")), "its member \"storages\" is not a plain file");
    s.refused(
        "a.tar",
        &with(("storages", b'0', "", 0o77777777777, b"")),
        "its member \"storages\" is longer than the file",
    );
    s.refused("a.tar", &with(("../../storages", b'0', "", 1, b".")), "missing 'storages'");
    assert_eq!(std::fs::read_dir(s.directory.path()).expect("reads").count(), 1);
}

// ---------------------------------------------------------------- safetensors and indexes

fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

#[test]
fn safetensors_headers_that_are_deep_or_long() {
    let s = Scratch::new();
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    s.refused("model.safetensors", &safetensors(&deep), "is not a valid safetensors file");
    let deep = format!("{{\"__metadata__\":{}", "{\"a\":".repeat(100_000));
    s.refused("model.safetensors", &safetensors(&deep), "is not a valid safetensors file");
    let tensor = |i: usize| format!("\"t{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    // 60,000 empty tensors are harmless. A million are refused.
    let many: Vec<String> = (0..60_000).map(tensor).collect();
    assert_eq!(s.read("model.safetensors", &safetensors(&format!("{{{}}}", many.join(",")))), Ok(60_000));
    let many: Vec<String> = (0..1_000_000).map(tensor).collect();
    s.refused("model.safetensors", &safetensors(&format!("{{{}}}", many.join(","))), "its header claims");
    let dims = vec!["1"; 1_000_000].join(",");
    let _either = s.read(
        "model.safetensors",
        &safetensors(&format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{dims}],\"data_offsets\":[0,4]}}}}")),
    );
}

#[test]
fn indexes_that_lead_elsewhere() {
    let s = Scratch::new();
    let index = "model.safetensors.index.json";
    for shard in ["../../etc/passwd", "/etc/passwd", "..", "", "a/../../b", "C:\\x"] {
        let text = format!("{{\"weight_map\":{{\"a\":{shard:?}}}}}");
        s.refused(index, text.as_bytes(), "is not a file of this directory");
    }
    s.refused(
        index,
        format!("{{\"weight_map\":{}", "[".repeat(100_000)).as_bytes(),
        "is not an index of shards",
    );
    s.refused(index, br#"{"weight_map":{"a":"model.safetensors.index.json"}}"#, "file");
}

#[test]
#[cfg(unix)]
fn paths_that_are_not_files() {
    let s = Scratch::new();
    refused(Path::new("/dev/zero"), "is a device or a pipe");
    let pipe = s.path("model.safetensors");
    if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        refused(&pipe, "is a device or a pipe");
        std::fs::remove_file(&pipe).expect("removes");
    }
    std::os::unix::fs::symlink("model.safetensors", &pipe).expect("links to itself");
    refused(&pipe, "cannot read");
}

// ---------------------------------------------------------------- msgpack

#[test]
fn msgpack_of_many_deep_and_long_things() {
    let s = Scratch::new();
    let file = "flax_model.msgpack";
    s.refused(
        file,
        &[&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0xc0; 2_000_000]].concat(),
        "it has more than 1000000 values",
    );
    s.refused(file, &[&[0x81, 0xa1, b'a'][..], &[0x91; 1000]].concat(), "nested more than");
    s.refused(file, &[0x81, 0xa1, b'a', 0xc9, 0xff, 0xff, 0xff, 0xff, 1], "longer than the file");
    // Thirty names of a thousand bytes around a great many arrays.
    let name = [&[0xda, 1000u16.to_be_bytes()[0], 1000u16.to_be_bytes()[1]][..], &[b'n'; 1000]].concat();
    let mut long = Vec::new();
    for _ in 0..30 {
        long.push(0x81);
        long.extend(&name);
    }
    long.extend([0xdc, 0xff, 0xff]);
    long.extend(
        [0xc7, 13, 1, 0x93, 0x90, 0xa7, b'f', b'l', b'o', b'a', b't', b'3', b'2', 0xc4, 0].repeat(0xffff),
    );
    s.refused(file, &long, "a path before byte");
    // Endless dimensions, and dimensions whose product overflows.
    let array =
        |dims: &[u8]| [&[0x81, 0xa1, b'a', 0xc9, 0, 0, 0, dims.len() as u8, 1, 0x93][..], dims].concat();
    s.refused(file, &array(&[0xdc, 0xff, 0xff, 1, 1]), "it breaks off");
    let huge = [
        &[0x92][..],
        &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].repeat(2),
        b"\xa7float32\xc4\x00",
    ]
    .concat();
    let huge = [&[0x81, 0xa1, b'a', 0xc7, huge.len() as u8 + 1, 1, 0x93][..], &huge].concat();
    s.refused(file, &huge, "do not fit its shape");
}

#[test]
fn inconsistent_flax_chunks() {
    let s = Scratch::new();
    let source = std::fs::read(golden("formats/flax_chunked/flax_model.msgpack")).expect("reads");
    let file = "flax_model.msgpack";
    assert!(s.read(file, &source).is_ok());
    let replaced = |from: &[u8], to: &[u8]| {
        let at = source.windows(from.len()).position(|w| w == from).expect("is there");
        [&source[..at], to, &source[at + from.len()..]].concat()
    };
    s.refused(file, &replaced(b"\xa6chunks", b"\xa6chunkz"), "do not make its shape");
    s.refused(file, &replaced(b"\xa5shape", b"\xa5shapf"), "do not make its shape");
    s.refused(file, &replaced(b"\xa5shape\x82\xa10", b"\xa5shape\x82\xa17"), "do not make its shape");
}

// ---------------------------------------------------------------- protocol buffers

fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// An ONNX model with these initializers.
fn onnx(initializers: &[Vec<u8>]) -> Vec<u8> {
    field(7, &initializers.iter().flat_map(|i| field(5, i)).collect::<Vec<u8>>())
}

/// `a.weight`, two floats in an external file.
fn outside(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| {
        field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
    };
    [
        &[0x08, 2, 0x10, 1][..],
        &field(8, b"a.weight"),
        &entries.iter().flat_map(entry).collect::<Vec<u8>>(),
        &[0x70, 1],
    ]
    .concat()
}

#[test]
fn onnx_weights_in_other_files() {
    let s = Scratch::new();
    std::fs::write(s.path("model.onnx_data"), [0u8; 16]).expect("writes");
    let file = "model.onnx";
    let place = |name: &str, offset: &str, length: &str| {
        onnx(&[outside(&[("location", name), ("offset", offset), ("length", length)])])
    };
    assert_eq!(s.read(file, &place("model.onnx_data", "8", "8")), Ok(1));
    assert_eq!(s.read(file, &onnx(&[outside(&[("location", "model.onnx_data")])])), Ok(1));
    for name in ["../model.onnx_data", "/etc/passwd", "..", "a/../../x", ""] {
        s.refused(file, &place(name, "0", "8"), "which is not a file of the model's directory");
    }
    s.refused(
        file,
        &place("absent", "0", "8"),
        "\"a.weight\" lies in \"absent\", which is missing next to the model",
    );
    for offset in ["9", "18446744073709551615"] {
        s.refused(file, &place("model.onnx_data", offset, "8"), "lies beyond the end of \"model.onnx_data\"");
    }
    s.refused(file, &place("model.onnx_data", "-1", "8"), "has \"-1\" as its offset");
    s.refused(file, &place("model.onnx_data", "0", "4"), "with a length that does not fit its shape");
    let many: Vec<Vec<u8>> = (0..2000).map(|i| outside(&[("location", format!("f{i}").as_str())])).collect();
    s.refused(file, &onnx(&many), "is missing next to the model");
}

#[test]
fn onnx_models_of_very_many_and_deep_things() {
    let s = Scratch::new();
    let file = "model.onnx";
    let sound = [&[0x08, 2, 0x10, 1][..], &field(8, b"a.weight"), &field(9, &[0; 8])].concat();
    assert_eq!(s.read(file, &onnx(std::slice::from_ref(&sound))), Ok(1));
    // Too many nodes, a node with too many inputs, and many such nodes.
    s.refused(file, &field(7, &field(1, b"").repeat(300_000)), "it has too many nodes");
    let wide = field(1, &field(1, b"").repeat(500_000));
    s.refused(file, &field(7, &wide), "it holds no weights");
    let product =
        field(1, &[field(1, b"x"), field(1, b"w"), field(4, b"MatMul"), field(3, &[b'n'; 900])].concat());
    s.refused(file, &field(7, &product.repeat(50_000)), "it holds no weights");
    // Graphs nested in attributes of nodes.
    let mut deep = Vec::new();
    for _ in 0..1000 {
        deep = field(1, &field(5, &field(6, &deep)));
    }
    s.refused(file, &field(7, &deep), "it holds no weights");
    // Too many dimensions, impossible ones, unterminated varints, lengths beyond the file.
    let extents = |dims: &[u8]| {
        onnx(&[[&field(1, dims), &[0x10, 1][..], &field(8, b"a.weight"), &field(9, &[0; 8])].concat()])
    };
    s.refused(file, &extents(&[1; 1000]), "has too many dimensions");
    s.refused(
        file,
        &extents(&[&varint(u64::MAX)[..], &varint(u64::MAX)].concat()),
        "has an impossible shape",
    );
    s.refused(file, &extents(&[4]), "do not fit its shape [4]");
    s.refused(file, &[0xff; 30], "does not end");
    s.refused(file, &[&[0x3a][..], &varint(u64::MAX)].concat(), "extends beyond its message");
    // One name with two shapes: the first is used.
    let other = [&[0x08, 1, 0x10, 1][..], &field(8, b"a.weight"), &field(9, &[0; 4])].concat();
    assert_eq!(s.read(file, &onnx(&[sound, other])), Ok(1));
}

// ---------------------------------------------------------------- TensorFlow

/// Appends a block of a table and its checksum to `file`. Returns the block's position.
fn block(file: &mut Vec<u8>, entries: &[(usize, &[u8], &[u8])]) -> Vec<u8> {
    let start = file.len();
    for (shared, key, value) in entries {
        file.extend([varint(*shared as u64), varint(key.len() as u64), varint(value.len() as u64)].concat());
        file.extend(*key);
        file.extend(*value);
    }
    file.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let length = file.len() - start;
    file.push(0);
    let checksum = crc32c::crc32c(&file[start..]).rotate_right(15).wrapping_add(0xa282_ead8);
    file.extend(checksum.to_le_bytes());
    [varint(start as u64), varint(length as u64)].concat()
}

/// A table whose index lists its only data block `times` times.
fn table(entries: &[(usize, &[u8], &[u8])], times: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let data = block(&mut file, entries);
    let names: Vec<(usize, &[u8], &[u8])> = (0..times).map(|_| (0, &b""[..], data.as_slice())).collect();
    let index = block(&mut file, &names);
    let mut footer = [data, index].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file
}

/// The entry of a float tensor: its shape, its offset and its size in bytes.
fn variable(shape: &[u64], offset: u64, size: u64, rest: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = shape.iter().flat_map(|n| field(2, &[vec![8], varint(*n)].concat())).collect();
    [vec![8, 1], field(2, &dims), vec![0x20], varint(offset), vec![0x28], varint(size), rest.to_vec()]
        .concat()
}

#[test]
fn tensorflow_indexes_that_unfold_or_lie() {
    let s = Scratch::new();
    let file = "model.ckpt-1.index";
    let header: (usize, &[u8], &[u8]) = (0, b"", &[8, 1]);
    std::fs::write(s.path("model.ckpt-1.data-00000-of-00001"), [0u8; 1024]).expect("writes");
    let one = |entry: &[u8]| table(&[header, (0, b"w", entry)], 1);
    s.refused(file, &one(&variable(&[2], 0, 8, &[])), "the checksum of variable \"w\" is wrong");
    // Keys of a megabyte that take three bytes each, and a block that is listed a hundred thousand times.
    let long = vec![b'k'; 1 << 20];
    let repeated: Vec<(usize, &[u8], &[u8])> = [header, (0, &long, b"")]
        .into_iter()
        .chain((0..100_000).map(|_| (1 << 20, &b""[..], &b""[..])))
        .collect();
    s.refused(file, &table(&repeated, 1), "its entries are too many or too long");
    s.refused(file, &table(&[header, (0, &long, b"")], 100_000), "its entries are too many or too long");
    // Offsets and sizes.
    for (entry, part) in [
        (variable(&[u64::MAX >> 1, 4], 0, 8, &[]), "its shape is impossible"),
        (variable(&[1 << 40], 0, 1 << 42, &[]), "lies beyond the end of its data file"),
        (variable(&[2], 1020, 8, &[]), "lies beyond the end of its data file"),
        (variable(&[2], u64::MAX >> 1, 8, &[]), "lies beyond the end of its data file"),
        (variable(&[2], u64::MAX, 8, &[]), "has a negative offset"),
        (variable(&[2], 0, 4, &[]), "has 4 bytes; its shape needs 8"),
        (variable(&[u64::MAX], 0, 4, &[]), "has an extent of -1"),
        (variable(&[2], 0, 8, &[0x18, 7]), "is in data file 7, which does not exist"),
        (variable(&[1 << 40], 0, 0, &field(7, &[])), "it is larger than its data files"),
        (variable(&[4], 0, 0, &field(7, &[]).repeat(2000)), "it has 2000 parts"),
        (variable(&[4], 0, 0, &field(7, &[])), "a different number of dimensions"),
        (variable(&[4], 0, 0, &field(7, &field(1, &[8, 3, 16, 2]))), "a part of it lies outside"),
        (variable(&[4], 0, 0, &field(7, &field(1, &[8, 0, 16, 2]))), "a part of it is not in the index"),
    ] {
        s.refused(file, &one(&entry), part);
    }
    // Two slices that are the same half.
    let part = field(7, &field(1, &[8, 0, 16, 2]));
    let half = variable(&[2], 0, 8, &[]);
    let key = [&[0][..], b"w", &[0, 1, 1, 1, 0x80, 0x82]].concat();
    let halves = [header, (0, &key, &half), (0, b"w", &variable(&[4], 0, 0, &part.repeat(2)))];
    s.refused(file, &table(&halves, 1), "two of its parts overlap");
    let counts = |n: u64| [vec![8], varint(n)].concat();
    s.refused(file, &table(&[(0, b"", &counts(1_000_000_000))], 1), "claims to have 1000000000 data files");
    s.refused(file, &table(&[(0, b"", &counts(5000))], 1), "-of-05000 is missing");
}

// ---------------------------------------------------------------- HDF5

#[test]
fn hostile_hdf5_files() {
    let _alone = Scratch::new();
    for (file, part) in [
        ("cycle.h5", "nested more than 32 deep"),
        ("deep.h5", "nested more than 32 deep"),
        ("empty_giant.h5", "dataset \"w\" is larger than the file can hold"),
        ("inflated.h5", "dataset \"w\" is larger than the file can hold"),
        ("elsewhere.h5", "dataset \"w\": "),
        ("web.h5", "its structure leads to the same places over and over"),
        ("chunk_beyond.h5", "has a chunk that lies beyond the end of the file"),
    ] {
        refused(&golden("hostile").join(file), part);
    }
}

// ---------------------------------------------------------------- cut off

#[test]
fn files_cut_off_at_every_length() {
    let s = Scratch::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(golden("hostile/sound"))
        .expect("reads")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(files.len(), 7);
    let squad = golden("formats/google_squad");
    let data = "model.ckpt-best.data-00000-of-00001";
    std::fs::copy(squad.join(data), s.path(data)).expect("copies");
    files.push(squad.join("model.ckpt-best.index"));
    for file in files {
        let name = file.file_name().and_then(|n| n.to_str()).expect("a name");
        let copy = s.path(name);
        std::fs::copy(&file, &copy).expect("copies");
        assert!(read_all(&copy).is_ok_and(|count| count > 0), "{name}");
        let whole = std::fs::read(&file).expect("reads");
        let handle = std::fs::OpenOptions::new().write(true).open(&copy).expect("opens");
        for length in (0..whole.len()).rev() {
            handle.set_len(length as u64).expect("cuts");
            let result = Tensors::open(&copy).and_then(|tensors| {
                let mut all = Vec::new();
                for info in tensors.infos() {
                    all.push(tensors.read(&info.name)?);
                }
                Ok(all)
            });
            let error = result.err().map(|e| e.to_string());
            // HDF5 may end with bytes that reading does not need. This ONNX model ends with four bytes of its version.
            let spare = name.ends_with(".h5") && length * 2 > whole.len()
                || name.ends_with(".onnx") && length + 4 == whole.len();
            assert!(error.is_some() || spare, "{name} cut to {length} of {} bytes was read", whole.len());
            if let Some(error) = error {
                assert!(error.contains(name), "{error}");
            }
        }
    }
}
