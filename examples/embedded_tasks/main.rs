//! Makes the model inside the binary do every task: one encoder learns sentiment, entities, answers, choices and entailment
//! at once, and goes on with text, so that it forgets nothing.
//!
//! ```sh
//! cargo run --release --example embedded_tasks -- learn ENCODER TOKENS DATA RUN [STEPS]
//! cargo run --release --example embedded_tasks -- judge RUN DATA dev|test
//! cargo run --release --example embedded_tasks -- export RUN DATA ASSETS
//! ```
//!
//! `ENCODER` is a directory that `albert pretrain` wrote, `TOKENS` its cache of token ids, `DATA` the task files, `RUN` a directory
//! that is made, or gone on with. `judge` prints the tables of the model card. `export` writes the files of `assets/`.

mod baselines;
mod export;
mod judge;
mod learn;
mod tasks;

use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match texts.as_slice() {
        ["learn", encoder, tokens, data, run, rest @ ..] => {
            let steps = rest.first().and_then(|steps| steps.parse().ok()).unwrap_or(12_000);
            learn::run(Path::new(encoder), Path::new(tokens), Path::new(data), Path::new(run), steps)
        }
        ["judge", run, data, split @ ("dev" | "test")] => judge::run(Path::new(run), Path::new(data), split),
        ["export", run, data, assets] => export::run(Path::new(run), Path::new(data), Path::new(assets)),
        _ => {
            say(
                "embedded_tasks learn ENCODER TOKENS DATA RUN [STEPS] | judge RUN DATA dev|test | export RUN DATA ASSETS",
            );
            std::process::exit(2);
        }
    };
    if let Err(error) = result {
        say(&error.to_string());
        std::process::exit(1);
    }
}

/// A line on standard error.
pub fn say(text: &str) {
    use std::io::Write;
    let _unwritable = writeln!(std::io::stderr(), "{text}");
}
