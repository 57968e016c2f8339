//! Asking for memory before it is needed. Invariant: a hint only; nothing observable depends on it.

/// Asks for every 64-byte line of `items`.
#[inline(always)]
pub fn prefetch<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        let start = items.as_ptr().cast::<i8>();
        for offset in (0..size_of_val(items)).step_by(64) {
            #[expect(unsafe_code, reason = "a prefetch takes a pointer")]
            // SAFETY: the address lies inside the slice, and a prefetch reads nothing the program can see.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(start.add(offset));
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = items;
}
