//! Converts any ALBERT checkpoint to a directory that transformers loads.
//!
//!     cargo run --release --example convert -- SOURCE DESTINATION
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::ops::ControlFlow;
use std::path::Path;

use albert::checkpoint::{Checkpoint, ConvertOptions, ConvertProgress, convert};
use albert::{Error, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, destination] = arguments.as_slice() else {
        return Err(Error::Input("usage: convert SOURCE DESTINATION".to_owned()));
    };
    let checkpoint = Checkpoint::local(Path::new(source))?;
    let mut show = |progress: ConvertProgress| {
        println!("{:3} %  {}", 100 * progress.done / progress.total.max(1), progress.tensor);
        ControlFlow::Continue(())
    };
    let converted = convert(&checkpoint, Path::new(destination), &ConvertOptions::default(), &mut show)?;
    println!("{} tensors of a model of the class {}", converted.tensors, converted.architecture.class());
    Ok(())
}
