//! A barrier for threads that spin instead of sleeping: between two steps of a short sentence there is no time to wake
//! up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

/// Spin iterations before a thread yields.
const SPINS_BEFORE_YIELD: usize = 500;

/// A reusable barrier.
pub(super) struct SpinBarrier {
    threads: usize,
    waiting: AtomicUsize,
    /// The number of times that all threads have met.
    generation: AtomicUsize,
    broken: AtomicBool,
}

impl SpinBarrier {
    pub(super) fn new(threads: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { threads, waiting: zero(), generation: zero(), broken: AtomicBool::new(false) }
    }

    /// Returns once all threads have called it. Each thread then sees everything that the others wrote before.
    ///
    /// # Panics
    /// If another thread has panicked, which would otherwise leave this one waiting forever.
    pub(super) fn wait(&self) {
        let generation = self.generation.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Relaxed);
            self.generation.store(generation + 1, Ordering::Release);
            return;
        }
        let mut rounds = 0;
        while self.generation.load(Ordering::Acquire) == generation {
            assert!(!self.broken.load(Ordering::Relaxed), "another thread has failed");
            rounds += 1;
            if rounds < SPINS_BEFORE_YIELD { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// At most one team at a time: two teams waiting for each other's threads would deadlock.
static TEAM: Mutex<()> = Mutex::new(());

/// Runs `work` on all threads of rayon's pool at the same time, with the index of each thread and the shared barrier.
/// Returns false without running anything if the threads are already in a team.
pub(super) fn run(work: impl Fn(usize, &SpinBarrier) + Sync) -> bool {
    struct BreakOnPanic<'a>(&'a SpinBarrier);
    impl Drop for BreakOnPanic<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.broken.store(true, Ordering::Relaxed);
            }
        }
    }
    let _team = match TEAM.try_lock() {
        Ok(team) => team,
        // The lock protects no data that a panic could have left inconsistent.
        Err(TryLockError::Poisoned(team)) => team.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    let barrier = SpinBarrier::new(rayon::current_num_threads());
    rayon::broadcast(|context| {
        let _breaks = BreakOnPanic(&barrier);
        work(context.index(), &barrier);
    });
    true
}
