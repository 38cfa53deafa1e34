//! Data parallelism within a process: copies of the model on several devices, which share the rows of a batch.

use std::ops::Range;

use burn::tensor::Device;

use super::objective::Objective;
use super::parameters::Parameters;
use super::seeds::mix;
use crate::device::to_host;
use crate::error::{Error, Result};
use crate::model::Albert;

/// A device and its copy of the model.
struct Replica {
    model: Albert,
    device: Device,
}

/// A model on one or more devices.
pub struct Replicas {
    replicas: Vec<Replica>,
    /// Rows per forward and backward pass on a device.
    micro_batch: usize,
}

/// A pass of one device over its rows of a batch. The first argument is the device's index.
type Pass<'a> = dyn Fn(&Replica, Range<usize>, usize) -> Result<BatchGradients> + Sync + 'a;

/// Results of a pass over rows.
#[derive(Clone, Debug)]
pub struct BatchGradients {
    /// The gradient of the loss for each parameter; empty without a backward pass.
    pub gradients: Vec<Vec<f32>>,
    /// The sums of [`Objective::loss`].
    pub sums: Vec<f64>,
}

impl Replicas {
    /// Copies `model` to every device. With `checkpointing`, memory-bound activations are recomputed in the backward pass
    /// instead of being saved.
    pub fn new(
        model: &Albert,
        parameters: &Parameters,
        devices: &[Device],
        micro_batch: usize,
        checkpointing: bool,
    ) -> Self {
        let replicas = devices
            .iter()
            .map(|device| {
                let device = device.clone().autodiff();
                let device = if checkpointing { device.gradient_checkpointing() } else { device };
                Replica { model: parameters.load_into(model.clone(), &device), device }
            })
            .collect();
        Self { replicas, micro_batch: micro_batch.max(1) }
    }

    /// Updates the weights of every copy.
    pub fn update(&mut self, parameters: &Parameters) {
        for replica in &mut self.replicas {
            let model = replica.model.clone();
            replica.model = parameters.load_into(model, &replica.device);
        }
    }

    /// Computes loss and gradients of `examples`, which belong to a batch with the counts `totals`. The number of devices
    /// affects only rounding. With one device, the result is reproducible bit for bit.
    ///
    /// # Errors
    /// Errors of the objective; [`Error::Device`] if a device fails.
    pub fn gradients<O: Objective>(
        &self,
        objective: &O,
        examples: &[O::Example],
        totals: &[f64],
        parameters: &Parameters,
        seed: u64,
    ) -> Result<BatchGradients> {
        let pass = |replica: &Replica, rows: Range<usize>, index: usize| -> Result<BatchGradients> {
            let mut gradients = parameters.zeros();
            let mut sums = vec![0.0; objective.names().len()];
            for (i, chunk) in examples[rows].chunks(self.micro_batch).enumerate() {
                replica.device.seed(mix(seed, &[index as u64, i as u64]));
                let loss = objective.loss(&replica.model, chunk, totals, &replica.device)?;
                let backward = loss.total.backward();
                Parameters::add_gradients(&replica.model, &backward, &mut gradients)?;
                add(&mut sums, loss.sums)?;
            }
            Ok(BatchGradients { gradients, sums })
        };
        let mut parts = self.on_each(examples.len(), &pass)?.into_iter();
        let Some(mut whole) = parts.next() else {
            return Ok(BatchGradients {
                gradients: parameters.zeros(),
                sums: vec![0.0; objective.names().len()],
            });
        };
        for part in parts {
            for (sum, gradient) in whole.gradients.iter_mut().zip(&part.gradients) {
                sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
            }
            whole.sums.iter_mut().zip(part.sums).for_each(|(sum, value)| *sum += value);
        }
        Ok(whole)
    }

    /// Computes the sums of the loss over `examples`, without dropout and without gradients.
    ///
    /// # Errors
    /// Same as [`Replicas::gradients`].
    pub fn evaluate<O: Objective>(
        &self,
        objective: &O,
        examples: &[O::Example],
        totals: &[f64],
    ) -> Result<Vec<f64>> {
        let pass = |replica: &Replica, rows: Range<usize>, _: usize| -> Result<BatchGradients> {
            let device = replica.device.clone().without_autodiff();
            let model = burn::module::Module::valid(&replica.model);
            let mut sums = vec![0.0; objective.names().len()];
            for chunk in examples[rows].chunks(self.micro_batch) {
                add(&mut sums, objective.loss(&model, chunk, totals, &device)?.sums)?;
            }
            Ok(BatchGradients { gradients: Vec::new(), sums })
        };
        let mut sums = vec![0.0; objective.names().len()];
        for part in self.on_each(examples.len(), &pass)? {
            sums.iter_mut().zip(part.sums).for_each(|(sum, value)| *sum += value);
        }
        Ok(sums)
    }

    /// The model of the first device, without automatic differentiation.
    pub fn valid(&self) -> Option<Albert> {
        self.replicas.first().map(|replica| burn::module::Module::valid(&replica.model))
    }

    /// Returns unused memory to the devices.
    pub fn clean_up(&self) {
        for replica in &self.replicas {
            replica.device.memory_cleanup();
        }
    }

    /// Runs `pass` on every device with its share of `rows` rows, one thread each. Results are in device order.
    fn on_each(&self, rows: usize, pass: &Pass) -> Result<Vec<BatchGradients>> {
        let count = self.replicas.len();
        let share = |i: usize| rows * i / count..rows * (i + 1) / count;
        if let [replica] = self.replicas.as_slice() {
            return Ok(vec![pass(replica, 0..rows, 0)?]);
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .replicas
                .iter()
                .enumerate()
                .map(|(i, replica)| scope.spawn(move || pass(replica, share(i), i)))
                .collect();
            threads
                .into_iter()
                .zip(&self.replicas)
                .map(|(thread, replica)| {
                    thread.join().unwrap_or_else(|_| {
                        Err(Error::Device {
                            device: format!("{:?}", replica.device),
                            problem: "the computation stopped unexpectedly".to_owned(),
                        })
                    })
                })
                .collect()
        })
    }
}

fn add(sums: &mut [f64], tensor: burn::tensor::Tensor<1>) -> Result<()> {
    let values = to_host(tensor)?;
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(value));
    Ok(())
}
