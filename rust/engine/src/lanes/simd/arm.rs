//! NEON.

use std::arch::aarch64::*;

use super::{MOST_LANES, Task, Vector};

#[derive(Clone, Copy)]
pub(super) struct Neon(float64x2_t);

/// SAFETY, here and throughout: every 64-bit ARM processor that Rust knows has NEON; slices are checked for length.
impl Vector for Neon {
    const LANES: usize = 2;
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self(unsafe { vdupq_n_f64(x) })
    }
    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        Self(unsafe { vld1q_f64(from[..2].as_ptr()) })
    }
    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        unsafe { vst1q_f64(to[..2].as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { vaddq_f64(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { vsubq_f64(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(unsafe { vmulq_f64(self.0, other.0) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(unsafe { vdivq_f64(self.0, other.0) })
    }
    #[inline(always)]
    fn fma(self, factor: Self, term: Self) -> Self {
        Self(unsafe { vfmaq_f64(term.0, self.0, factor.0) })
    }
    #[inline(always)]
    fn fnma(self, factor: Self, term: Self) -> Self {
        Self(unsafe { vfmsq_f64(term.0, self.0, factor.0) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(unsafe { vbslq_f64(vcltq_f64(self.0, other.0), self.0, other.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(unsafe { vbslq_f64(vcgtq_f64(self.0, other.0), self.0, other.0) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        let bits = |x| unsafe { vreinterpretq_u64_f64(x) };
        Self(unsafe { vreinterpretq_f64_u64(veorq_u64(bits(self.0), bits(other.0))) })
    }
    #[inline(always)]
    fn less(self, other: Self) -> u8 {
        let set = unsafe { vcltq_f64(self.0, other.0) };
        let lanes = unsafe { (vgetq_lane_u64::<0>(set), vgetq_lane_u64::<1>(set)) };
        (lanes.0 & 1 | lanes.1 & 2) as u8
    }
    #[inline(always)]
    fn select(mask: u8, yes: Self, no: Self) -> Self {
        let lane = |l: u8| u64::from(mask >> l & 1).wrapping_neg();
        let set = unsafe { vld1q_u64([lane(0), lane(1)].as_ptr()) };
        Self(unsafe { vbslq_f64(set, yes.0, no.0) })
    }
    #[inline(always)]
    fn scale(self, exponent: Self) -> Self {
        let bits = |x| unsafe { vreinterpretq_u64_f64(x) };
        let power = unsafe { vshlq_n_u64::<52>(bits(exponent.0)) };
        Self(unsafe { vreinterpretq_f64_u64(vaddq_u64(bits(self.0), power)) })
    }
    #[inline(never)]
    fn apart<T: Task>(task: T) -> T::Output {
        task.run()
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { vsqrtq_f64(self.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { vrndnq_f64(self.0) })
    }
    #[inline(always)]
    fn upper_53(self) -> Self {
        Self(unsafe { vcvtq_f64_u64(vshrq_n_u64::<11>(vreinterpretq_u64_f64(self.0))) })
    }
    #[inline(always)]
    fn add_halves(self, other: Self) -> Self {
        Self(unsafe { vreinterpretq_f64_u32(vaddq_u32(vreinterpretq_u32_f64(self.0), vreinterpretq_u32_f64(other.0))) })
    }
    #[inline(always)]
    fn rotate_halves<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        Self(unsafe {
            let bits = vreinterpretq_u32_f64(self.0);
            vreinterpretq_f64_u32(vsriq_n_u32::<RIGHT>(vshlq_n_u32::<LEFT>(bits), bits))
        })
    }
    #[inline(always)]
    fn lower_halves(self, other: Self) -> Self {
        Self(unsafe {
            vreinterpretq_f64_u32(vtrn1q_u32(
                vreinterpretq_u32_f64(self.0),
                vreinterpretq_u32_f64(other.0),
            ))
        })
    }
    #[inline(always)]
    fn upper_halves(self, other: Self) -> Self {
        Self(unsafe {
            vreinterpretq_f64_u32(vtrn2q_u32(
                vreinterpretq_u32_f64(self.0),
                vreinterpretq_u32_f64(other.0),
            ))
        })
    }
    #[inline(always)]
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
        let (a, b) = (Self::load(&sources[0][at..]), Self::load(&sources[1][at..]));
        out[0] = Self(unsafe { vzip1q_f64(a.0, b.0) });
        out[1] = Self(unsafe { vzip2q_f64(a.0, b.0) });
    }
    #[inline(always)]
    fn scatter(vectors: &[Self], at: usize, targets: &mut [&mut [f64]; MOST_LANES]) {
        let (a, b) = (vectors[0].0, vectors[1].0);
        Self(unsafe { vzip1q_f64(a, b) }).store(&mut targets[0][at..]);
        Self(unsafe { vzip2q_f64(a, b) }).store(&mut targets[1][at..]);
    }
}
