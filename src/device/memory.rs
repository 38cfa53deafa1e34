//! What becomes of memory that is freed.

/// Asks the allocator to keep freed memory for the next request. A training step frees and takes buffers of
/// megabytes again and again; giving each back to the system costs more than the step's own work, because all
/// threads are stopped for it. For programs, at their start; does nothing where the allocator is not glibc's.
#[allow(unsafe_code, reason = "a call to the C library")]
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest request that glibc serves from its own heaps, 32 MiB.
        const LARGEST: libc::c_int = 32 << 20;
        /// Free memory at the end of a heap that is given back.
        const KEPT: libc::c_int = 1 << 30;
        // SAFETY: both parameters are sound for any number; a refusal changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}
