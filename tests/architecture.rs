//! The module structure of `src/`: no import cycles, and the layers of `docs/contributing/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Top-level modules of the library from the bottom up. A module may import from its own row and from earlier rows.
const LAYERS: &[&[&str]] = &[
    &["error", "guard", "padding"],
    &["io", "ops"],
    &["tokenizer", "model", "device"],
    &["batch"],
    &["checkpoint", "data"],
    &["hub", "stream", "device_check"],
    &["tasks"],
    &["render", "eval", "pipelines"],
    &["training"],
];

/// A module path without the crate: `["checkpoint", "load"]`.
type Module = Vec<String>;

/// Every `.rs` file below `folder`.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The module that a file of `src/` defines. The binary's modules begin with `cli`, too.
fn module_of(source: &Path, file: &Path) -> Module {
    let relative = file.strip_prefix(source).expect("below src").with_extension("");
    let mut parts: Module = relative.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
        parts.pop();
    }
    parts
}

/// The code of a file without comments and without its trailing `#[cfg(test)] mod`.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The paths of a `use` tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(tree: &str, prefix: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        for part in tree.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            found.push(format!("{prefix}{}", part.split(" as ").next().unwrap_or(part).trim()));
        }
        return;
    };
    // Before the brace: complete items, then the prefix of the group.
    let before = &tree[..open];
    let start = before.rfind(',').map_or(0, |comma| comma + 1);
    expand(&tree[..start], prefix, found);
    let mut depth = 0;
    let close = tree[open..]
        .char_indices()
        .find(|(_, c)| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        })
        .map_or(tree.len(), |(at, _)| open + at);
    expand(&tree[open + 1..close], &format!("{prefix}{}", before[start..].trim()), found);
    expand(tree[close..].trim_start_matches('}').trim_start().trim_start_matches(','), prefix, found);
}

/// Every path that a file names: in `use` declarations, and inline as `crate::...` or `super::...`.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let begins = rest[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == ')');
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        if begins {
            expand(&rest[at + 4..end], "", &mut found);
            rest = &rest[end..];
        } else {
            rest = &rest[at + 4..];
        }
    }
    for start in ["crate::", "super::", "albert::"] {
        for (at, _) in code.match_indices(start) {
            let path: String =
                code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
            found.push(path);
        }
    }
    found
}

/// The longest existing module that `path` leads into, seen from `module`.
fn resolve(path: &str, module: &Module, is_mod: bool, all: &BTreeSet<Module>) -> Option<Module> {
    let mut parts: Vec<&str> = path.split("::").collect();
    let mut base: Module = match parts[0] {
        "crate" => Vec::new(),
        "albert" if module.first().is_some_and(|m| m == "cli") => Vec::new(),
        "self" | "super" => module.clone(),
        first => {
            // A child module of a `mod.rs`.
            let mut child = module.clone();
            child.push(first.to_owned());
            if !is_mod || !all.contains(&child) {
                return None;
            }
            parts.insert(0, "self");
            module.clone()
        }
    };
    if parts[0] == "super" {
        base.pop();
    }
    parts.remove(0);
    while parts.first() == Some(&"super") {
        base.pop();
        parts.remove(0);
    }
    // In the binary, `crate` is the binary's root module.
    for part in parts {
        base.push(part.to_owned());
        if !all.contains(&base) {
            base.pop();
            break;
        }
    }
    Some(base)
}

/// The imports of each module. Imports between a module and its ancestors or children are left out, because a folder is
/// one unit.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    let all: BTreeSet<Module> = found.iter().map(|file| module_of(&source, file)).collect();
    let mut graph: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for file in &found {
        let module = module_of(&source, file);
        let is_mod = file.file_name().is_some_and(|n| n == "mod.rs" || n == "lib.rs");
        let text = fs::read_to_string(file).expect("a source file");
        let targets = graph.entry(module.clone()).or_default();
        for path in paths(&code(&text)) {
            let Some(target) = resolve(&path, &module, is_mod, &all) else { continue };
            let related = target.starts_with(&module) || module.starts_with(&target);
            if !target.is_empty() && !related {
                targets.insert(target);
            }
        }
    }
    graph
}

/// Groups of modules that reach each other (Kosaraju's algorithm).
fn circles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<String>> {
    fn visit<'a>(
        node: &'a Module,
        graph: &'a BTreeMap<Module, BTreeSet<Module>>,
        seen: &mut BTreeSet<&'a Module>,
        order: &mut Vec<&'a Module>,
    ) {
        if seen.insert(node) {
            for next in graph.get(node).into_iter().flatten() {
                visit(next, graph, seen, order);
            }
            order.push(node);
        }
    }
    let mut reversed: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (from, targets) in graph {
        for to in targets {
            reversed.entry(to.clone()).or_default().insert(from.clone());
        }
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for node in graph.keys() {
        visit(node, graph, &mut seen, &mut order);
    }
    let mut assigned = BTreeSet::new();
    let mut found = Vec::new();
    for node in order.into_iter().rev() {
        let mut group = Vec::new();
        visit(node, &reversed, &mut assigned, &mut group);
        if group.len() > 1 {
            let mut names: Vec<String> = group.iter().map(|module| module.join("::")).collect();
            names.sort();
            found.push(names);
        }
    }
    found
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let graph = imports();
    assert!(graph.len() > 200 && graph.values().map(BTreeSet::len).sum::<usize>() > 500, "imports are found");
    let circles = circles(&graph);
    assert!(circles.is_empty(), "circles of imports:\n{circles:#?}");
}

#[test]
fn imports_point_down_the_layers() {
    let layer = |name: &str| LAYERS.iter().position(|row| row.contains(&name));
    let mut upward = Vec::new();
    for (module, targets) in imports() {
        let Some(name) = module.first().filter(|name| *name != "cli") else { continue };
        let own = layer(name).unwrap_or_else(|| panic!("the module {name} is not in a layer"));
        for target in targets {
            let above =
                target.first().is_some_and(|name| name == "cli" || layer(name).is_some_and(|l| l > own));
            if above {
                upward.push(format!("{} -> {}", module.join("::"), target.join("::")));
            }
        }
    }
    assert!(upward.is_empty(), "imports that point up:\n{}", upward.join("\n"));
}

/// Flags of other programs that the library's texts may mention. `--features` is how albert is built with a feature.
const FLAGS_OF_OTHERS: [&str; 1] = ["--features"];

/// The code without the texts of `after_help`, which belong to the command line although the options of a task are defined in
/// the library.
fn without_examples(code: &str) -> String {
    let mut parts = code.split("after_help = \"");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.match_indices('"').find(|(at, _)| !part[..*at].ends_with('\\'));
        rest.push_str(end.map_or("", |(at, _)| &part[at..]));
    }
    rest
}

/// Flags in the string literals of a file: two hyphens before a lower-case letter and not inside a word.
fn flags(text: &str) -> Vec<String> {
    let code = without_examples(&code(text));
    let mut found = Vec::new();
    for (at, _) in code.match_indices("--") {
        let inside = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
        let flag: String =
            code[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let is_flag = flag[2..].starts_with(|c: char| c.is_ascii_lowercase());
        if is_flag && !inside && !FLAGS_OF_OTHERS.contains(&flag.as_str()) {
            found.push(flag);
        }
    }
    found
}

#[test]
fn the_library_spells_no_flag() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    let mut spelled = Vec::new();
    for file in &found {
        let module = module_of(&source, file);
        let is_test = module.last().is_some_and(|name| name == "tests");
        if is_test || module.first().is_some_and(|name| name == "cli") {
            continue;
        }
        let text = fs::read_to_string(file).expect("a source file");
        spelled.extend(flags(&text).into_iter().map(|flag| format!("{}: {flag}", module.join("::"))));
    }
    assert!(
        spelled.is_empty(),
        "flags in texts of the library, which names options in words:\n{}",
        spelled.join("\n")
    );
}

#[test]
fn flags_are_found() {
    let text =
        "f(\"use --device\"); // --not\nlet a = \"models--org--x\"; let b = c --d;\n\"--features --Up\"\n";
    assert_eq!(flags(text), ["--device", "--d"]);
    assert_eq!(flags("(after_help = \"a --b \\\"c\\\" --d\", x = \"--e\")"), ["--e"]);
    assert_eq!(flags("a(\"a\");\n#[cfg(test)]\nmod tests { \"--b\" }"), [""; 0]);
}

#[test]
fn use_trees_are_expanded() {
    let mut found = Vec::new();
    expand("crate::a::{self, b::{C, d}, e as f}, g", "", &mut found);
    assert_eq!(found, ["crate::a::self", "crate::a::b::C", "crate::a::b::d", "crate::a::e", "g"]);
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let graph = BTreeMap::from([
        (module("a"), BTreeSet::from([module("b")])),
        (module("b"), BTreeSet::from([module("c")])),
        (module("c"), BTreeSet::from([module("a")])),
        (module("d"), BTreeSet::from([module("a")])),
    ]);
    assert_eq!(circles(&graph), [["a", "b", "c"]]);
}
