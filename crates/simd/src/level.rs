//! Which instruction set this process uses. Invariant: chosen once, never above what the CPU has, and no result
//! depends on it.

use std::sync::OnceLock;

/// An instruction-set level: the proof that this CPU can run it, since only detection makes one above
/// [`Level::SCALAR`]. Machines other than x86-64 and AArch64 run the scalar code, which the compiler vectorises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(Tier);

/// The instruction sets, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Plain Rust.
    Scalar,
    /// AArch64 with NEON, which all of them have.
    Neon,
    /// x86-64 with AVX2, FMA, F16C and POPCNT (2013 and later).
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL, VNNI and VPOPCNTDQ (Ice Lake, Zen 4 and later).
    Avx512,
}

impl Level {
    /// Plain Rust, which every machine runs.
    pub const SCALAR: Self = Self(Tier::Scalar);

    /// The level in use: the best of this CPU, or a lower one if the environment variable `ELANUS_SIMD` says
    /// `scalar`, `neon`, `avx2` or `avx512`.
    #[inline]
    pub fn current() -> Self {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            let wish = std::env::var("ELANUS_SIMD").unwrap_or_default();
            let allowed = |level: &Self| wish.is_empty() || level.0 <= tier_named(&wish);
            Self::available().into_iter().rfind(allowed).unwrap_or(Self::SCALAR)
        })
    }

    /// Every level this CPU can run, lowest first.
    pub fn available() -> Vec<Self> {
        let best = detect();
        let tiers: &[Tier] = match best {
            Tier::Scalar => &[Tier::Scalar],
            Tier::Neon => &[Tier::Scalar, Tier::Neon],
            Tier::Avx2 | Tier::Avx512 => &[Tier::Scalar, Tier::Avx2, Tier::Avx512],
        };
        tiers.iter().filter(|tier| **tier <= best).copied().map(Self).collect()
    }

    /// The level's name: `scalar`, `neon`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Tier::Scalar => "scalar",
            Tier::Neon => "neon",
            Tier::Avx2 => "avx2",
            Tier::Avx512 => "avx512",
        }
    }

    #[inline(always)]
    pub(crate) fn tier(self) -> Tier {
        self.0
    }
}

/// The tier called `name`; an unknown name lowers nothing.
fn tier_named(name: &str) -> Tier {
    match name {
        "scalar" => Tier::Scalar,
        "neon" => Tier::Neon,
        "avx2" => Tier::Avx2,
        _ => Tier::Avx512,
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Tier {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("fma") && has!("f16c") && has!("popcnt")) {
        return Tier::Scalar;
    }
    let wide = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    if wide && has!("avx512vnni") && has!("avx512vpopcntdq") { Tier::Avx512 } else { Tier::Avx2 }
}

#[cfg(target_arch = "aarch64")]
fn detect() -> Tier {
    if std::arch::is_aarch64_feature_detected!("neon") { Tier::Neon } else { Tier::Scalar }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detect() -> Tier {
    Tier::Scalar
}
