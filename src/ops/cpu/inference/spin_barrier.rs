//! Threads that wait for each other without going to sleep: between two steps of a short sentence
//! there is no time to wake up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

/// Rounds of waiting before a thread lets others run.
const PATIENCE: usize = 500;

/// A barrier of some threads, which can be used any number of times.
pub(super) struct SpinBarrier {
    threads: usize,
    waiting: AtomicUsize,
    /// How many meetings there were.
    meetings: AtomicUsize,
    broken: AtomicBool,
}

impl SpinBarrier {
    pub(super) fn new(threads: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { threads, waiting: zero(), meetings: zero(), broken: AtomicBool::new(false) }
    }

    /// Returns once all threads have called it. All see what any wrote before.
    ///
    /// # Panics
    /// If another thread has panicked, so that none waits for it.
    pub(super) fn wait(&self) {
        let meeting = self.meetings.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Relaxed);
            self.meetings.store(meeting + 1, Ordering::Release);
            return;
        }
        let mut rounds = 0;
        while self.meetings.load(Ordering::Acquire) == meeting {
            assert!(!self.broken.load(Ordering::Relaxed), "another thread has failed");
            rounds += 1;
            if rounds < PATIENCE { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// One team at a time: two that wait for each other's threads would wait for ever.
static TEAM: Mutex<()> = Mutex::new(());

/// Runs `work` on all threads of rayon's pool at the same time, with each one's number; they meet at
/// the barrier. False, and nothing has run, when the threads are already in a team.
pub(super) fn run(work: impl Fn(usize, &SpinBarrier) + Sync) -> bool {
    struct Breaks<'a>(&'a SpinBarrier);
    impl Drop for Breaks<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.broken.store(true, Ordering::Relaxed);
            }
        }
    }
    let _team = match TEAM.try_lock() {
        Ok(team) => team,
        // The lock guards nothing that a panic could have left half done.
        Err(TryLockError::Poisoned(team)) => team.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    let barrier = SpinBarrier::new(rayon::current_num_threads());
    rayon::broadcast(|context| {
        let _breaks = Breaks(&barrier);
        work(context.index(), &barrier);
    });
    true
}
