//! Packed weights, reused across calls.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Packed copies of a layer's parameters, valid as long as the parameters do not change. On a short sentence, packing
/// costs as much as the layer itself.
///
/// Clones share the cached data.
#[derive(Clone, Default)]
pub struct WeightCache(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

/// Marks weights that were used once and not cached.
#[cfg(any(feature = "flex", feature = "ndarray"))]
struct Used;

impl WeightCache {
    /// Returns the cached value if it is a `T` that `fits`; otherwise calls `make`, which also says whether to cache its
    /// result.
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
        // Called without the lock: a thread that waits for others in `make` may pick up a task that needs the lock.
        let (made, keep) = make();
        *self.lock() = Some(if keep { Box::new(made.clone()) } else { Box::new(Used) });
        made
    }

    /// Returns true if the cache has not been used before, and marks it as used.
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
