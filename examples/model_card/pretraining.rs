//! Masked LM and sentence order on held-out text, by the unit of a row and its length.

use std::path::Path;
use std::process::Command;

use albert::{Error, Result};
use serde_json::Value;

/// Rows of lines or sentences, and their length in tokens.
const ROWS: [(&str, &str); 5] =
    [("lines", "128"), ("sentences", "32"), ("sentences", "64"), ("sentences", "128"), ("sentences", "512")];

/// A table of metrics of `albert eval mlm` with the built-in model.
pub fn table(held_out: &Path) -> Result<String> {
    let example = std::env::current_exe().map_err(Error::io(Path::new("model_card"), "find"))?;
    let program = example.ancestors().nth(2).unwrap_or(Path::new(".")).join("albert");
    let mut out = String::from(
        "\n| rows | masked-LM accuracy | masked-LM perplexity | sentence order (chance is 50 %) |\n|---|---:|---:|---:|\n",
    );
    for (unit, length) in ROWS {
        let found = Command::new(&program)
            .args(["eval", "mlm", "--quiet", "--sentences", unit, "--max-seq-length", length, "--corpus"])
            .arg(held_out)
            .output()
            .map_err(Error::io(&program, "run"))?;
        let metrics: Value = serde_json::from_slice(&found.stdout)
            .map_err(|_| Error::bad_file(held_out, String::from_utf8_lossy(&found.stderr)))?;
        let percent = |key: &str| 100.0 * metrics[key].as_f64().unwrap_or(f64::NAN);
        out.push_str(&format!(
            "| {unit}, {length} | {:.1} % | {:.1} | {:.1} % |\n",
            percent("mlm_accuracy"),
            metrics["perplexity"].as_f64().unwrap_or(f64::NAN),
            percent("sop_accuracy"),
        ));
    }
    Ok(out)
}
