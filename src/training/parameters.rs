//! The parameters of a model on the host: the f32 master copy, whatever precision a device computes in.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::seeds::mix;
use crate::checkpoint::{ModulePath, SavedTensor, transposed};
use crate::device::to_host;
use crate::error::{Error, Result};
use crate::model::Albert;

/// One parameter tensor.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The name in transformers.
    pub name: String,
    /// The shape in memory. As in burn, a linear layer's weight is `[in, out]`.
    pub shape: Vec<usize>,
    /// True if checkpoints store it transposed, as `[out, in]`.
    pub transposed: bool,
    /// The values in row-major order.
    pub values: Vec<f32>,
    /// True if training does not change it.
    pub frozen: bool,
}

impl Parameter {
    /// Returns true for biases and for the parameters of normalizations, which have neither weight decay nor a trust
    /// ratio (google-research/albert `optimization.py`, `exclude_from_weight_decay`).
    pub fn is_bias_or_norm(&self) -> bool {
        self.name.ends_with("bias") || self.name.contains("LayerNorm") || self.name.contains("layer_norm")
    }
}

impl Parameter {
    /// Converts stored values into the layout in memory.
    pub fn from_stored(&self, values: Vec<f32>) -> Vec<f32> {
        match (self.transposed, self.shape.as_slice()) {
            (true, [rows, columns]) => transposed(&values, *columns, *rows),
            _ => values,
        }
    }
}

/// All parameters of a model, in module order.
#[derive(Clone, Debug)]
pub struct Parameters {
    tensors: Vec<Parameter>,
}

impl Parameters {
    /// Parameters from a list of tensors.
    pub fn from_tensors(tensors: Vec<Parameter>) -> Self {
        Self { tensors }
    }

    /// Copies a model's parameters to the host.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn of(model: &Albert) -> Result<Self> {
        let mut copy = Copy::default();
        model.visit(&mut copy);
        copy.error.map_or(Ok(Self { tensors: copy.tensors }), Err)
    }

    /// ALBERT's initializer: weights from a normal distribution with standard deviation `initializer_range`, truncated
    /// at two standard deviations, and a zero vector for padding (google-research/albert `create_initializer`). Biases are
    /// zero and normalization weights one. A seed gives the same values on every device.
    pub fn initialize(&mut self, range: f64, pad_id: Option<usize>, seed: u64) {
        for (i, parameter) in self.tensors.iter_mut().enumerate() {
            let mut random = Pcg64Mcg::seed_from_u64(mix(seed, &[i as u64]));
            if parameter.name.ends_with("bias") {
                parameter.values.fill(0.0);
            } else if parameter.is_bias_or_norm() {
                parameter.values.fill(1.0);
            } else {
                parameter.values.fill_with(|| (range * truncated_normal(&mut random)) as f32);
            }
            if let (true, Some(pad)) = (parameter.name.ends_with("word_embeddings.weight"), pad_id) {
                let width = parameter.shape.last().copied().unwrap_or(0);
                if let Some(row) = parameter.values.get_mut(pad * width..(pad + 1) * width) {
                    row.fill(0.0);
                }
            }
        }
    }

    /// The tensors, in order.
    pub fn tensors(&self) -> &[Parameter] {
        &self.tensors
    }

    /// The tensors, with mutable values.
    pub fn tensors_mut(&mut self) -> &mut [Parameter] {
        &mut self.tensors
    }

    /// Freezes the tensors whose names `which` selects.
    pub fn freeze(&mut self, which: impl Fn(&str) -> bool) {
        for parameter in &mut self.tensors {
            parameter.frozen |= which(&parameter.name);
        }
    }

    /// The total number of values.
    pub fn count(&self) -> usize {
        self.tensors.iter().map(|p| p.values.len()).sum()
    }

    /// Zeros in the shape of the parameters.
    pub fn zeros(&self) -> Vec<Vec<f32>> {
        self.tensors.iter().map(|p| vec![0.0; p.values.len()]).collect()
    }

    /// Loads these values into a model of the same shape, in the float type of `device`. Parameters require gradients if
    /// the device has automatic differentiation.
    pub fn load_into(&self, model: Albert, device: &Device) -> Albert {
        model.map(&mut Load { tensors: self.tensors.iter(), device })
    }

    /// Adds the gradients of a backward pass through `model` to `sums`. Parameters without a gradient are skipped.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn add_gradients(model: &Albert, gradients: &Gradients, sums: &mut [Vec<f32>]) -> Result<()> {
        let mut adder = AddGradients { gradients, sums: sums.iter_mut(), error: None };
        model.visit(&mut adder);
        adder.error.map_or(Ok(()), Err)
    }

    /// The tensors in the layout of a checkpoint.
    pub fn saved<'a>(&'a self) -> Vec<SavedTensor<'a>> {
        let saved = |p: &'a Parameter| SavedTensor {
            name: p.name.clone(),
            shape: p.shape.clone(),
            transposed: p.transposed,
            values: p.values.as_slice().into(),
        };
        self.tensors.iter().map(saved).collect()
    }
}

/// A sample of the normal distribution, redrawn until it is within two standard deviations.
fn truncated_normal(random: &mut Pcg64Mcg) -> f64 {
    loop {
        // Box-Muller transform; the sine half is discarded.
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let value = radius * (std::f64::consts::TAU * random.random::<f64>()).cos();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

#[derive(Default)]
struct Copy {
    path: ModulePath,
    tensors: Vec<Parameter>,
    error: Option<Error>,
}

impl ModuleVisitor for Copy {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.error.is_some() {
            return;
        }
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        match to_host(tensor) {
            Ok(values) => self.tensors.push(Parameter {
                name: self.path.checkpoint_name(),
                transposed: self.path.is_transposed(D),
                shape,
                values,
                frozen: false,
            }),
            Err(error) => self.error = Some(error),
        }
    }
}

struct Load<'a> {
    tensors: std::slice::Iter<'a, Parameter>,
    device: &'a Device,
}

impl ModuleMapper for Load<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(own) = self.tensors.next() else { return param };
        let data = TensorData::new(own.values.clone(), own.shape.clone());
        let tensor = Tensor::from_data(data, self.device);
        let learns = self.device.is_autodiff() && !own.frozen;
        let tensor = if learns { tensor.require_grad() } else { tensor };
        Param::initialized(param.id, tensor)
    }
}

struct AddGradients<'a> {
    gradients: &'a Gradients,
    sums: std::slice::IterMut<'a, Vec<f32>>,
    error: Option<Error>,
}

impl ModuleVisitor for AddGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(sum) = self.sums.next() else { return };
        let Some(gradient) = param.val().grad(self.gradients) else { return };
        match to_host(gradient) {
            Ok(values) => sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
            Err(error) => self.error = self.error.take().or(Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initializer_is_truncated_at_two_deviations() {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let values: Vec<f64> = (0..100_000).map(|_| truncated_normal(&mut random)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!(values.iter().all(|v| v.abs() <= 2.0));
        assert!(mean.abs() < 0.01, "{mean}");
        // The variance of the standard normal distribution truncated at 2 is 0.7737.
        assert!((variance - 0.7737).abs() < 0.01, "{variance}");
    }
}
