//! Data-parallel training over MPI: one process per device, started by `mpirun` or an MPI-aware scheduler.

use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::traits::{Communicator as _, CommunicatorCollectives};

use super::Communicator;
use crate::error::{Error, Result};

/// All processes of an MPI job. Dropping this finalizes MPI.
pub(super) struct World {
    universe: Universe,
}

impl World {
    /// Initializes MPI. A program started without `mpirun` is a world of one process.
    ///
    /// # Errors
    /// [`Error::Device`] if MPI was initialized before.
    pub(super) fn connect() -> Result<Self> {
        let universe = mpi::initialize().ok_or_else(|| Error::Device {
            device: "mpi".to_owned(),
            problem: "is already initialized".to_owned(),
        })?;
        Ok(Self { universe })
    }
}

/// Values per reduction: MPI counts elements in 32 bits.
const PART: usize = 1 << 24;

impl Communicator for World {
    fn rank(&self) -> usize {
        self.universe.world().rank().unsigned_abs() as usize
    }

    fn size(&self) -> usize {
        self.universe.world().size().unsigned_abs() as usize
    }

    fn sum_f32(&self, values: &mut [f32]) -> Result<()> {
        if self.size() > 1 {
            let world = self.universe.world();
            let mut sums = vec![0f32; values.len().min(PART)];
            for part in values.chunks_mut(PART) {
                world.all_reduce_into(&*part, &mut sums[..part.len()], SystemOperation::sum());
                part.copy_from_slice(&sums[..part.len()]);
            }
        }
        Ok(())
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<()> {
        if self.size() > 1 {
            let mut sums = vec![0f64; values.len()];
            self.universe.world().all_reduce_into(&*values, &mut sums[..], SystemOperation::sum());
            values.copy_from_slice(&sums);
        }
        Ok(())
    }
}
