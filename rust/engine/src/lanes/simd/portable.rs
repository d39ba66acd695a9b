//! Lanes without instructions of their own: what every processor can do, if slowly where it has no fused multiply-add.

use super::{MOST_LANES, Task, Vector};

/// Two lanes without instructions of their own: the scalar twin of the others. More lanes, and operations in line, would be
/// mostly more code to compile.
#[derive(Clone, Copy)]
pub(super) struct Portable([f64; 2]);

impl Portable {
    #[inline(always)]
    fn each(f: impl FnMut(usize) -> f64) -> Self {
        Self(std::array::from_fn(f))
    }

    /// The lower (0) or upper (1) half of a lane.
    #[inline(always)]
    fn half(self, lane: usize, half: u32) -> u32 {
        (self.0[lane].to_bits() >> (32 * half)) as u32
    }

    #[inline(always)]
    fn halves(f: impl Fn(usize, u32) -> u32) -> Self {
        Self::each(|l| f64::from_bits(u64::from(f(l, 0)) | u64::from(f(l, 1)) << 32))
    }
}

impl Vector for Portable {
    const LANES: usize = 2;
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x; 2])
    }
    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        Self::each(|l| from[l])
    }
    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        to[..2].copy_from_slice(&self.0);
    }
    #[inline(never)]
    fn add(self, other: Self) -> Self {
        Self::each(|l| self.0[l] + other.0[l])
    }
    #[inline(never)]
    fn sub(self, other: Self) -> Self {
        Self::each(|l| self.0[l] - other.0[l])
    }
    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        Self::each(|l| self.0[l] * other.0[l])
    }
    #[inline(never)]
    fn div(self, other: Self) -> Self {
        Self::each(|l| self.0[l] / other.0[l])
    }
    #[inline(never)]
    fn fma(self, factor: Self, term: Self) -> Self {
        Self::each(|l| self.0[l].mul_add(factor.0[l], term.0[l]))
    }
    #[inline(never)]
    fn fnma(self, factor: Self, term: Self) -> Self {
        Self::each(|l| (-self.0[l]).mul_add(factor.0[l], term.0[l]))
    }
    #[inline(never)]
    fn min(self, other: Self) -> Self {
        Self::each(|l| if self.0[l] < other.0[l] { self.0[l] } else { other.0[l] })
    }
    #[inline(never)]
    fn max(self, other: Self) -> Self {
        Self::each(|l| if self.0[l] > other.0[l] { self.0[l] } else { other.0[l] })
    }
    #[inline(never)]
    fn xor(self, other: Self) -> Self {
        Self::each(|l| f64::from_bits(self.0[l].to_bits() ^ other.0[l].to_bits()))
    }
    #[inline(never)]
    fn less(self, other: Self) -> u8 {
        (0..2).fold(0, |mask, l| mask | u8::from(self.0[l] < other.0[l]) << l)
    }
    #[inline(never)]
    fn select(mask: u8, yes: Self, no: Self) -> Self {
        Self::each(|l| if mask >> l & 1 == 1 { yes.0[l] } else { no.0[l] })
    }
    #[inline(never)]
    fn scale(self, exponent: Self) -> Self {
        Self::each(|l| f64::from_bits(self.0[l].to_bits().wrapping_add(exponent.0[l].to_bits() << 52)))
    }
    #[inline(never)]
    fn apart<T: Task>(task: T) -> T::Output {
        task.run()
    }
    #[inline(never)]
    fn sqrt(self) -> Self {
        Self::each(|l| self.0[l].sqrt())
    }
    #[inline(never)]
    fn round(self) -> Self {
        Self::each(|l| self.0[l].round_ties_even())
    }
    #[inline(never)]
    fn upper_53(self) -> Self {
        Self::each(|l| (self.0[l].to_bits() >> 11) as f64)
    }
    #[inline(never)]
    fn add_halves(self, other: Self) -> Self {
        Self::halves(|l, half| self.half(l, half).wrapping_add(other.half(l, half)))
    }
    #[inline(never)]
    fn rotate_halves<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        Self::halves(|l, half| self.half(l, half) << LEFT | self.half(l, half) >> RIGHT)
    }
    #[inline(never)]
    fn lower_halves(self, other: Self) -> Self {
        Self::halves(|l, half| if half == 0 { self.half(l, 0) } else { other.half(l, 0) })
    }
    #[inline(never)]
    fn upper_halves(self, other: Self) -> Self {
        Self::halves(|l, half| if half == 0 { self.half(l, 1) } else { other.half(l, 1) })
    }
    #[inline(never)]
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
        (0..2).for_each(|i| out[i] = Self::each(|l| sources[l][at + i]));
    }
    #[inline(never)]
    fn scatter(vectors: &[Self], at: usize, targets: &mut [&mut [f64]; MOST_LANES]) {
        for l in 0..2 {
            (0..2).for_each(|i| targets[l][at + i] = vectors[i].0[l]);
        }
    }
}
