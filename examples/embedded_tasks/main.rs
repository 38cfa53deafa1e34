//! Trains the built-in model for every task: one encoder learns sentiment, entities, answers, choices and entailment at once,
//! and continues with text so that it forgets nothing.
//!
//! ```sh
//! cargo run --release --example embedded_tasks -- learn ENCODER TOKENS DATA RUN [STEPS]
//! cargo run --release --example embedded_tasks -- tune RUN DATA [TASK...]
//! cargo run --release --example embedded_tasks -- compare RUN DATA
//! cargo run --release --example embedded_tasks -- export RUN DATA ASSETS
//! cargo run --release --example embedded_tasks -- judge ASSETS DATA dev|test
//! ```
//!
//! `ENCODER` is a directory that `albert pretrain` wrote, `TOKENS` its cache of token ids, `DATA` the task files, `RUN` a directory
//! that is made, or gone on with. `tune` learns each task alone, from what all learnt together. `compare` prints what that gains,
//! whole and as small differences. `export` writes the files of `assets/`. `judge` prints the tables of the model card.

mod baselines;
mod differences;
mod export;
mod figures;
mod judge;
mod learn;
mod progress;
mod svd;
mod tasks;
mod tune;

use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match texts.as_slice() {
        ["learn", encoder, tokens, data, run, rest @ ..] => {
            let steps = rest.first().and_then(|steps| steps.parse().ok()).unwrap_or(12_000);
            learn::run(Path::new(encoder), Path::new(tokens), Path::new(data), Path::new(run), steps)
        }
        ["tune", run, data, tasks @ ..] => tune::run(Path::new(run), Path::new(data), tasks),
        ["compare", run, data] => export::compare(Path::new(run), Path::new(data)),
        ["judge", assets, data, split @ ("dev" | "test")] => {
            judge::run(Path::new(assets), Path::new(data), split)
        }
        ["export", run, data, assets] => export::run(Path::new(run), Path::new(data), Path::new(assets)),
        _ => {
            say(
                "embedded_tasks learn ENCODER TOKENS DATA RUN [STEPS] | tune RUN DATA [TASK...] | compare RUN DATA | \
                 export RUN DATA ASSETS | judge ASSETS DATA dev|test",
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
