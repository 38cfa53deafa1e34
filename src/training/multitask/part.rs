//! Extraction of a single-task model from a multi-task model.

use std::ops::Range;

use burn::tensor::Device;

use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head};
use crate::training::Parameters;

/// The model of one task: the shared encoder with `head`, which takes the `outputs` of the shared classifier.
///
/// # Errors
/// [`Error::Input`] if `shared` lacks a tensor or has one of another size.
pub fn task_model(
    shared: &Parameters,
    config: &AlbertConfig,
    head: Head,
    outputs: Range<usize>,
    device: &Device,
) -> Result<(Albert, Parameters)> {
    let model = Albert::new(config, &[head], device);
    let mut parameters = Parameters::of(&model)?;
    for parameter in parameters.tensors_mut() {
        let source = shared.tensors().iter().find(|other| other.name == parameter.name);
        let source = source.ok_or_else(|| Error::Input(format!("there is no tensor {}", parameter.name)))?;
        // In memory, the last dimension is the output.
        let columns = source.shape.last().copied().unwrap_or(0);
        let values: Vec<f32> = if source.name.starts_with("classifier.") {
            let own = |row: &[f32]| row.get(outputs.clone()).map(<[f32]>::to_vec).unwrap_or_default();
            source.values.chunks(columns.max(1)).flat_map(own).collect()
        } else {
            source.values.clone()
        };
        if values.len() != parameter.values.len() {
            return Err(Error::Input(format!(
                "tensor {} has {} values for this task, not {}",
                parameter.name,
                values.len(),
                parameter.values.len()
            )));
        }
        parameter.values = values;
    }
    let model = parameters.load_into(model, device);
    Ok((model, parameters))
}
