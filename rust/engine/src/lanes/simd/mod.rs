//! A vector of doubles in the processor's registers, and the way to run a kernel on the widest that there is.
//!
//! Every operation is the same correctly rounded one on every path, so a kernel that never adds across lanes gives the
//! same bits on all of them. This is the one module with unsafe code: intrinsics, which need a processor that has them.
//! The vector types are private and a [`Path`] exists only where its instructions do, so safe code can't misuse them.
#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod arm;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use portable::Portable;

use crate::error::{Error, Result};
use crate::rng::UNIFORM_STEP;

/// As many doubles as a register holds, one of an independent problem in each lane.
pub(crate) trait Vector: Copy {
    /// The number of lanes, at most [`MOST_LANES`].
    const LANES: usize;
    /// The same number in every lane.
    fn splat(x: f64) -> Self;
    /// Asks for numbers to be brought near that will be loaded soon, where the processor can be asked.
    #[inline(always)]
    fn fetch(_numbers: &[f64]) {}
    /// The first [`Vector::LANES`] numbers of a slice.
    fn load(from: &[f64]) -> Self;
    /// Writes the first [`Vector::LANES`] numbers of a slice.
    fn store(self, to: &mut [f64]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once.
    fn fma(self, factor: Self, term: Self) -> Self;
    /// `term - self * factor`, rounded once.
    fn fnma(self, factor: Self, term: Self) -> Self;
    /// The smaller; `other` where one is no number.
    fn min(self, other: Self) -> Self;
    /// The larger; `other` where one is no number.
    fn max(self, other: Self) -> Self;
    /// Flips the bits that are set in `other`: the sign, where that is a zero of either sign.
    fn xor(self, other: Self) -> Self;
    /// One bit for each lane, set where `self` is the smaller; never where one is no number.
    fn less(self, other: Self) -> u8;
    /// `yes` where the lane's bit of `mask` is set, `no` elsewhere.
    fn select(mask: u8, yes: Self, no: Self) -> Self;
    /// `self` times two to the integer in the low bits of `exponent`; for normal numbers that stay normal.
    fn scale(self, exponent: Self) -> Self;
    fn sqrt(self) -> Self;
    /// The nearest whole number, ties to even.
    fn round(self) -> Self;
    /// The upper 53 bits of every lane as a whole number.
    fn upper_53(self) -> Self;
    /// The uniform of every lane, as [`crate::rng::uniform`] has it.
    #[inline(always)]
    fn uniform(self) -> Self {
        self.upper_53().mul(Self::splat(UNIFORM_STEP))
    }
    /// Adds both 32-bit halves of every lane, each for itself and wrapping.
    fn add_halves(self, other: Self) -> Self;
    /// Rotates both 32-bit halves of every lane to the left by `LEFT` bits; `RIGHT` is the rest of 32.
    fn rotate_halves<const LEFT: i32, const RIGHT: i32>(self) -> Self;
    /// The lower half of every lane, with that of `other` as the upper half.
    fn lower_halves(self, other: Self) -> Self;
    /// The upper half of every lane of `other`, with that of `self` as the lower half.
    fn upper_halves(self, other: Self) -> Self;
    /// These bits, one word a lane.
    #[inline(always)]
    fn words(words: &[u64; MOST_LANES]) -> Self {
        Self::load(&words.map(f64::from_bits))
    }
    /// Does work in a function of its own, which is compiled once for all kernels that call it.
    fn apart<T: Task>(task: T) -> T::Output;
    /// Entry `at + i` of every source, one source a lane, as `out[i]`; for [`Vector::LANES`] sources and vectors.
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]);
    /// The way back: lane `l` of vector `i` as entry `at + i` of target `l`; for as many vectors and targets.
    fn scatter(vectors: &[Self], at: usize, targets: &mut [&mut [f64]; MOST_LANES]);
}

/// The lanes of the widest vector.
pub(crate) const MOST_LANES: usize = 8;

/// Work written once for vectors of any width.
pub(crate) trait Kernel {
    /// What the work gives.
    type Output;
    /// Does the work; to be inlined always, so that it's compiled for the instructions of `V`.
    fn run<V: Vector>(self) -> Self::Output;
}

/// Work with vectors of one kind that several kernels do.
pub(crate) trait Task {
    /// What the work gives.
    type Output;
    /// Does the work; to be inlined always, as [`Kernel::run`] is.
    fn run(self) -> Self::Output;
}

/// The instructions that kernels are run with; results don't depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Path {
    /// The paths of this processor, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut paths = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
            paths.extend(avx512.then_some(Self(Kind::Avx512)));
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            paths.extend(avx2.then_some(Self(Kind::Avx2)));
        }
        #[cfg(target_arch = "aarch64")]
        paths.push(Self(Kind::Neon));
        paths.push(Self(Kind::Portable));
        paths
    }

    /// The fastest path, or the one that the environment variable `AVOWAL_SIMD` names.
    pub fn chosen() -> Result<Self> {
        let available = Self::available();
        let Some(asked) = std::env::var_os("AVOWAL_SIMD") else {
            return Ok(available[0]);
        };
        let found = available.iter().find(|path| asked == path.name());
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = available.iter().map(|path| path.name()).collect();
            Error::input("AVOWAL_SIMD", names.join(" or "), asked.to_string_lossy())
        })
    }

    /// The name, as the environment variable has it.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            Kind::Portable => "portable",
        }
    }

    /// Runs a kernel with this path's vectors.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: a path exists only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { x86::avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::avx2(kernel) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => kernel.run::<arm::Neon>(),
            Kind::Portable => kernel.run::<Portable>(),
        }
    }
}
