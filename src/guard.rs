//! Converts panics of third-party libraries, which damaged files can cause, into errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// True while a panic of this thread is being caught and therefore should not print a message.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which calls into a library. Returns `None` if it panics, without printing the panic message.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        // In strict mode, a fuzzer reports caught panics as findings.
        let is_strict = cfg!(fuzzing) && std::env::var_os("ALBERT_FUZZ_STRICT").is_some();
        set_hook(Box::new(move |panic| {
            if is_strict || !IS_CAUGHT.get() {
                others(panic);
            }
        }));
    });
    let before = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_and_the_next_call_works() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| -> u8 { panic!("of a library") }), None);
        assert!(!IS_CAUGHT.get());
        assert_eq!(caught(|| caught(|| -> u8 { panic!("inner") })), Some(None));
        assert_eq!(caught(|| 2), Some(2));
    }
}
