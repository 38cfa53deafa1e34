//! Classifies lines of standard input in bounded memory and writes JSON lines.
//!
//!     cat reviews.txt | cargo run --release --example classify_stream [MODEL]

use std::io::{BufRead, Write};

use albert::{Classify, Error, Result};

/// Number of lines classified together.
const WINDOW: usize = 512;

fn main() -> Result<()> {
    let classify = match std::env::args().nth(1) {
        Some(model) => Classify::open(&model)?,
        None => Classify::built_in()?,
    };
    let mut lines = std::io::stdin().lock().lines();
    let mut out = std::io::stdout().lock();
    loop {
        let window: Vec<String> = lines
            .by_ref()
            .take(WINDOW)
            .collect::<std::io::Result<_>>()
            .map_err(Error::io("<stdin>", "read"))?;
        if window.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = window.iter().map(String::as_str).collect();
        for (text, labels) in texts.iter().zip(classify.predict_all(&texts)?) {
            let line = serde_json::json!({"text": text, "label": labels[0].label, "score": labels[0].score});
            writeln!(out, "{line}").map_err(Error::io("<stdout>", "write"))?;
        }
    }
}
