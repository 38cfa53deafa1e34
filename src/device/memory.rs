//! Allocator settings.

/// Tells the allocator to keep freed memory. A training step repeatedly frees and allocates buffers of megabytes.
/// Returning each one to the system stops all threads and costs more than the step itself. Call this at the start of a
/// program. Does nothing unless the allocator is glibc's.
#[allow(unsafe_code, reason = "a call to the C library")]
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest request served from glibc's heaps, 32 MiB.
        const LARGEST: libc::c_int = 32 << 20;
        /// The amount of free memory at the end of a heap above which it is returned to the system.
        const TRIM_THRESHOLD: libc::c_int = 1 << 30;
        // SAFETY: all parameters accept any value, and a failure changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD);
        }
    }
}

/// Asks for huge pages for the first allocations of a program. A model of tens of megabytes otherwise spends most of its
/// loading time on page faults. Call this at the start of a program, before other threads exist. Does nothing unless the
/// allocator is glibc's and the system grants huge pages on request.
#[allow(unsafe_code, reason = "calls to the C library")]
pub fn use_huge_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Size of the heap that is reserved up front, though not used.
        const RESERVED: usize = 128 << 20;
        /// The largest request served from that heap.
        const LARGEST: libc::c_int = 32 << 20;
        const HUGE: usize = 2 << 20;
        // SAFETY: all parameters accept any value, and a failure changes nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * RESERVED as libc::c_int);
            libc::mallopt(libc::M_TOP_PAD, RESERVED as libc::c_int);
        }
        // A request that exceeds the current heap makes it grow by the reserved size.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(HUGE)));
        // SAFETY: with 0, the call only returns the end of the heap.
        let end = unsafe { libc::sbrk(0) } as usize;
        let start = end.saturating_sub(RESERVED).next_multiple_of(HUGE);
        if let Some(length) = end.checked_sub(start) {
            // SAFETY: the advice does not change the contents of memory, whatever is mapped there.
            unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_HUGEPAGE) };
            // SAFETY: all parameters accept any value, and a failure changes nothing.
            unsafe { libc::mallopt(libc::M_TOP_PAD, 1 << 20) };
        }
    }
}
