//! Handles Ctrl-C and SIGTERM. A stream writes everything that is finished and exits; a training run saves and exits.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use albert::stream::SharedWriter;
use albert::{Error, Result};

/// Returns a flag that the first SIGINT or SIGTERM sets. A second signal terminates the program immediately.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(Error::io("signals", "watch"))?;
    }
    Ok(stop)
}

/// Installs a handler that closes `writer` before the signal ends the process.
#[cfg(unix)]
pub(super) fn close_on_interrupt(writer: &SharedWriter) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;

    // Ignore SIGXFSZ, so that exceeding a file size limit is reported like any other write error.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let writer = writer.clone();
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            close(&writer);
            // Re-raise the signal, so that the shell sees it.
            let _unreachable = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// Windows has no signals to wait for. Ctrl-C sets a flag; a thread that polls it closes `writer` and ends the process.
#[cfg(not(unix))]
pub(crate) fn close_on_interrupt(writer: &SharedWriter) -> std::io::Result<()> {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    let stop = stop_flag().map_err(std::io::Error::other)?;
    let writer = writer.clone();
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        close(&writer);
        signal_hook::low_level::exit(130);
    });
    Ok(())
}

#[allow(clippy::print_stderr, reason = "the process is about to end; no reporter is at hand in this thread")]
fn close(writer: &SharedWriter) {
    if let Some(Ok(Some(partial))) = writer.take().map(albert::io::OrderedWriter::keep_partial) {
        eprintln!("albert: interrupted; finished records are in {}", partial.display());
    }
}
