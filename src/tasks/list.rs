//! The list of tasks on texts.

/// Calls the macro `$callback` with the tasks that implement [`TextTask`](crate::tasks::TextTask), one per line: the
/// module, the task and the head that it needs. The modules in `src/tasks/`, the library types and the subcommands are
/// created from this list.
#[doc(hidden)]
#[macro_export]
macro_rules! text_tasks {
    ($callback:ident) => {
        $callback! {
            score: Score on MaskedLm;
        }
    };
}
