//! Filters messages that graphics drivers print to standard error.

use crate::cli::output::report::Reporter;

/// Prefixes of irrelevant lines: messages about displays, and about drivers for other hardware.
#[cfg(target_os = "linux")]
const IRRELEVANT_PREFIXES: &[&str] = &[
    "error: XDG_RUNTIME_DIR",
    "MESA",
    "libEGL",
    "WARNING: ",
    "TU: ",
    "pci id for fd",
    "vulkan: ",
    "failed to load driver",
];

/// Runs `work`, which loads graphics drivers, and drops irrelevant messages that they print. Other lines are printed
/// after `work`. With `--verbose`, nothing is filtered.
pub(super) fn without<T>(reporter: &Reporter, work: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    if !reporter.is_verbose()
        && let Some(capture) = capture::Capture::start()
    {
        let result = work();
        for line in capture
            .end()
            .lines()
            .filter(|line| !IRRELEVANT_PREFIXES.iter().any(|start| line.starts_with(start)))
        {
            reporter.foreign(line);
        }
        return result;
    }
    work()
}

#[cfg(target_os = "linux")]
mod capture {
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    use filedescriptor::{FileDescriptor, StdioDescriptor};

    /// Redirects standard error to a temporary file. Restores it when dropped.
    pub(super) struct Capture {
        file: File,
        before: FileDescriptor,
    }

    impl Capture {
        /// Starts the capture. Returns `None` if no temporary file can be created.
        pub(super) fn start() -> Option<Self> {
            let file = tempfile::tempfile().ok()?;
            let _unwritten = std::io::stderr().flush();
            let before = FileDescriptor::redirect_stdio(&file, StdioDescriptor::Stderr).ok()?;
            Some(Self { file, before })
        }

        /// Ends the capture and returns the captured text.
        pub(super) fn end(self) -> String {
            let mut file = self.file.try_clone();
            drop(self);
            let mut printed = Vec::new();
            if let Ok(file) = &mut file {
                let _unreadable = file.rewind().and_then(|()| file.read_to_end(&mut printed));
            }
            String::from_utf8_lossy(&printed).into_owned()
        }
    }

    impl Drop for Capture {
        fn drop(&mut self) {
            let _lost = FileDescriptor::redirect_stdio(&self.before, StdioDescriptor::Stderr);
        }
    }
}
