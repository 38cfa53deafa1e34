//! Packed weights, kept from call to call.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Data that a layer keeps in addition to its parameters: their packed copy, for as long as they are the same. Packing costs
/// as much as the layer itself on a short sentence.
///
/// Clones share what is kept.
#[derive(Clone, Default)]
pub struct WeightCache(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

/// In the place of weights that were used and not kept.
#[cfg(any(feature = "flex", feature = "ndarray"))]
struct Used;

impl WeightCache {
    /// The kept value, if it is a `T` that `fits`; else the result of `make`, kept if `make` asks for it.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(super) fn get_or_make<T: Clone + Send + 'static>(
        &self,
        fits: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> (T, bool),
    ) -> T {
        if let Some(kept) = self.lock().as_ref().and_then(|kept| kept.downcast_ref::<T>())
            && fits(kept)
        {
            return kept.clone();
        }
        // Not under the lock: a thread that waits for others in here may take up work that needs it.
        let (made, keep) = make();
        *self.lock() = Some(if keep { Box::new(made.clone()) } else { Box::new(Used) });
        made
    }

    /// True if nothing has been asked of the cache before. Counts as a use.
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    pub(super) fn is_first_use(&self) -> bool {
        let mut kept = self.lock();
        let first = kept.is_none();
        if first {
            *kept = Some(Box::new(Used));
        }
        first
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WeightCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeightCache({})", if self.lock().is_some() { "full" } else { "empty" })
    }
}
