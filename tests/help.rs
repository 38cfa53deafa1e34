//! The help of every subcommand, compared with `tests/golden/help/`. Set `ALBERT_UPDATE_HELP=1` to update the files
//! after an intended change.

mod common;

use std::path::PathBuf;

use common::{albert, golden};

fn help(command: &[&str]) -> String {
    let output = albert().args(command).arg("--help").env("COLUMNS", "100").output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{command:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // Trailing white space depends on wrapping and is invisible.
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n"
}

/// The names in the list of commands of a help text.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or("");
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every page with its file name.
fn pages() -> Vec<(PathBuf, String)> {
    let top = help(&[]);
    let mut pages = vec![("albert".to_owned(), top.clone())];
    for name in commands(&top) {
        let page = help(&[&name]);
        for inner in commands(&page) {
            pages.push((format!("albert-{name}-{inner}"), help(&[&name, &inner])));
        }
        pages.push((format!("albert-{name}"), page));
    }
    pages.into_iter().map(|(name, page)| (golden("help").join(name + ".txt"), page)).collect()
}

#[test]
fn help_is_unchanged() {
    let update = std::env::var_os("ALBERT_UPDATE_HELP").is_some();
    let pages = pages();
    assert!(pages.len() > 20, "{} pages", pages.len());
    let mut changed = Vec::new();
    for (path, page) in &pages {
        if update {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
            std::fs::write(path, page).expect("writes");
        } else if std::fs::read_to_string(path).ok().as_ref() != Some(page) {
            changed.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
    }
    assert!(changed.is_empty(), "changed: {changed:?}; set ALBERT_UPDATE_HELP=1 if this is deliberate");
}

/// One line of help states what an option does. It is not a question and not a relative clause.
#[test]
fn short_descriptions_are_present() {
    for (path, page) in pages() {
        let first = page.lines().next().unwrap_or("");
        let begins = first.chars().next().is_some_and(char::is_uppercase);
        assert!(begins && !first.ends_with('.'), "{}: {first}", path.display());
    }
}
