//! Asking for memory before it is needed. Invariant: a hint only; nothing observable depends on it.

/// Bytes of a line of memory.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const LINE: usize = 64;

/// The address of each line that `items` lie in, wherever in a line they begin.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn lines<T>(items: &[T]) -> impl Iterator<Item = *const u8> {
    let start = items.as_ptr().cast::<u8>();
    let before = start as usize % LINE;
    (0..before + size_of_val(items)).step_by(LINE).map(move |at| start.wrapping_sub(before).wrapping_add(at))
}

/// Asks for every 64-byte line of `items`.
#[inline(always)]
pub fn prefetch<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in lines(items) {
        #[expect(unsafe_code, reason = "a prefetch takes a pointer")]
        // SAFETY: a prefetch may be given any address; it reads nothing the program can see and never faults.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast());
        }
    }
    #[cfg(target_arch = "aarch64")]
    lines(items).for_each(ask);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = items;
}

/// Asks for the line at `address`, which may be any.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn ask(address: *const u8) {
    #[expect(unsafe_code, reason = "the instruction has no function of its own")]
    // SAFETY: a prefetch may be given any address; it reads nothing the program can see and never faults.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
}

/// Bytes between what is read and what [`prefetch_beyond`] asks for: four pages.
const BEYOND: usize = 16 << 10;

/// For a stream of which `item` is read now: asks for a line four pages later. Memory foresees a stream only to the end
/// of a page; one line in eight is enough to make it go on by itself, and all of them would cost more than they bring.
#[inline(always)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    expect(dead_code, reason = "plain code asks for nothing")
)]
pub(crate) fn prefetch_beyond<T>(item: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        #[expect(unsafe_code, reason = "a prefetch takes a pointer")]
        // SAFETY: a prefetch may be given any address, also one past the end of everything; it reads nothing the
        // program can see and never faults.
        unsafe {
            let line = std::ptr::from_ref(item).cast::<i8>().wrapping_add(BEYOND);
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(line);
        }
    }
    #[cfg(target_arch = "aarch64")]
    ask(std::ptr::from_ref(item).cast::<u8>().wrapping_add(BEYOND));
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = item;
}

/// As [`prefetch`], but no nearer than the second cache.
#[inline(always)]
pub fn prefetch_far<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in lines(items) {
        #[expect(unsafe_code, reason = "a prefetch takes a pointer")]
        // SAFETY: a prefetch may be given any address; it reads nothing the program can see and never faults.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(line.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = items;
}
