//! Converts any ALBERT checkpoint to a directory that transformers loads.
//!
//!     cargo run --release --example convert -- SOURCE DESTINATION
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::path::Path;

use albert::checkpoint::{Checkpoint, ConvertOptions, convert};
use albert::{Error, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, destination] = arguments.as_slice() else {
        return Err(Error::Input("usage: convert SOURCE DESTINATION".to_owned()));
    };
    let checkpoint = Checkpoint::local(Path::new(source))?;
    let mut proceed = |tensor: &str, done: u64, total: u64| {
        println!("{:3} %  {tensor}", 100 * done / total.max(1));
        true
    };
    let converted = convert(&checkpoint, Path::new(destination), &ConvertOptions::default(), &mut proceed)?;
    println!("{} tensors of a model of the class {}", converted.tensors, converted.architecture.class());
    Ok(())
}
