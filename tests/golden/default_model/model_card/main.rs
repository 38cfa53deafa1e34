//! Prints the tables of the built-in model's card as Markdown.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --example model_card -- ASSETS DATA dev|test [HELD_OUT]
//! ```
//!
//! `ASSETS` holds the files of the model, `DATA` the task files (`NAME.train.jsonl`, `NAME.dev.jsonl`,
//! `NAME.test.jsonl`). `HELD_OUT` is a text file that the model was not trained on. With it, masked LM and sentence
//! order are measured too, with the `albert` program built by the first command.

mod baselines;
mod metrics;
mod pretraining;
mod sentences;
mod similarity;
mod tables;
mod tasks;

use std::path::Path;

use albert::{Error, Result};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match texts.as_slice() {
        [assets, data, split @ ("dev" | "test"), rest @ ..] if rest.len() < 2 => {
            run(Path::new(assets), Path::new(data), split, rest.first().map(Path::new))
        }
        _ => {
            say("usage: model_card ASSETS DATA dev|test [HELD_OUT]");
            std::process::exit(2);
        }
    };
    if let Err(error) = result {
        say(&error.to_string());
        std::process::exit(1);
    }
}

fn run(assets: &Path, data: &Path, split: &str, held_out: Option<&Path>) -> Result<()> {
    print(&tables::tasks(assets, data, split)?)?;
    print(&similarity::row(assets, data, split)?)?;
    print(&sentences::table(assets)?)?;
    match held_out {
        Some(path) => print(&pretraining::table(path)?),
        None => Ok(()),
    }
}

fn say(text: &str) {
    use std::io::Write;
    let _unwritable = writeln!(std::io::stderr(), "{text}");
}

fn print(text: &str) -> Result<()> {
    use std::io::Write;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|source| Error::Output { name: "<stdout>".to_owned(), source })
}
