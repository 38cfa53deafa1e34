//! Masked LM and sentence order on held-out text, by row length.

use std::path::Path;
use std::process::Command;

use albert::{Error, Result};
use serde_json::Value;

/// Row lengths in tokens.
const LENGTHS: [&str; 3] = ["32", "64", "128"];

/// A table of metrics of `albert eval mlm` with the built-in model.
pub(crate) fn table(held_out: &Path) -> Result<String> {
    let example = std::env::current_exe().map_err(Error::io(Path::new("model_card"), "find"))?;
    let program = example.ancestors().nth(2).unwrap_or(Path::new(".")).join("albert");
    let mut out = String::from(
        "\n| tokens per row | masked-LM accuracy | masked-LM perplexity | sentence order (chance is 50 %) |\n|---|---:|---:|---:|\n",
    );
    for length in LENGTHS {
        let found = Command::new(&program)
            .args(["eval", "mlm", "--quiet", "--max-seq-length", length, "--corpus"])
            .arg(held_out)
            .output()
            .map_err(Error::io(&program, "run"))?;
        let metrics: Value = serde_json::from_slice(&found.stdout)
            .map_err(|_| Error::bad_file(held_out, String::from_utf8_lossy(&found.stderr)))?;
        let percent = |key: &str| 100.0 * metrics[key].as_f64().unwrap_or(f64::NAN);
        out.push_str(&format!(
            "| {length} | {:.1} % | {:.1} | {:.1} % |\n",
            percent("mlm_accuracy"),
            metrics["perplexity"].as_f64().unwrap_or(f64::NAN),
            percent("sop_accuracy"),
        ));
    }
    Ok(out)
}
