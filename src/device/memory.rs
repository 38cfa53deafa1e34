//! Allocator settings.

/// Tells the allocator to keep freed memory. A training step frees and allocates buffers of megabytes again and again, and
/// returning each to the system stops all threads and costs more than the step itself. Call this at the start of a program.
/// Does nothing unless the allocator is glibc's.
#[allow(unsafe_code, reason = "a call to the C library")]
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest request served from glibc's heaps, 32 MiB.
        const LARGEST: libc::c_int = 32 << 20;
        /// The amount of free memory at the end of a heap that is returned to the system.
        const KEPT: libc::c_int = 1 << 30;
        // SAFETY: both parameters accept any value, and a failure changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}
