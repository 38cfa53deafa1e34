//! Fills masks with any model.
//!
//!     cargo run --release --example fill_mask -- "The capital of [MASK] is Paris." [MODEL]
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use albert::{FillMask, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().unwrap_or_else(|| "The capital of France is [MASK].".to_owned());
    let fill = match arguments.next() {
        Some(model) => FillMask::open(&model)?,
        None => FillMask::built_in()?,
    };
    for (i, words) in fill.predict(&text)?.iter().enumerate() {
        println!("mask {}:", i + 1);
        for word in words {
            println!("  {:5.1} %  {}", 100.0 * word.score, word.sequence);
        }
    }
    Ok(())
}
