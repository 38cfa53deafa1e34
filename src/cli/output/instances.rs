//! Prints the rows of `albert pretrain --show-instances`.

use serde_json::json;

use albert::Result;
use albert::io::{Format, OutputTarget};
use albert::tokenizer::Tokenizer;
use albert::training::instances::{Instance, SpecialIds, show_instance};

/// Prints rows to standard output.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn show(
    instances: &[Instance],
    format: Format,
    tokenizer: &Tokenizer,
    special: &SpecialIds,
) -> Result<()> {
    let mut out = OutputTarget::open(None)?;
    match format {
        Format::Text => {
            for instance in instances {
                let shown = show_instance(instance, special, &|id| tokenizer.id_to_token(id));
                out.write(shown.as_bytes())?;
            }
        }
        Format::Json => {
            out.write(json!(instances.iter().map(inputs).collect::<Vec<_>>()).to_string().as_bytes())?;
        }
        _ => {
            for instance in instances {
                out.write(format!("{}\n", inputs(instance)).as_bytes())?;
            }
        }
    }
    out.finish()?;
    Ok(())
}

/// Returns an instance as inputs for transformers' `AlbertForPreTraining`.
fn inputs(instance: &Instance) -> serde_json::Value {
    let mut labels = vec![-100i64; instance.ids.len()];
    for (position, label) in instance.masked_positions.iter().zip(&instance.masked_labels) {
        labels[*position as usize] = i64::from(*label);
    }
    let types: Vec<u8> = (0..instance.ids.len()).map(|i| u8::from(i >= instance.segment_b)).collect();
    json!({
        "input_ids": instance.ids,
        "token_type_ids": types,
        "labels": labels,
        "sentence_order_label": instance.order_label,
    })
}
