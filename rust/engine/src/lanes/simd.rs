//! A vector of doubles in the processor's registers, and the way to run a kernel on the widest that there is.
//!
//! Every operation is the same correctly rounded one on every path, so a kernel that never adds across lanes gives the
//! same bits on all of them. This is the one module with unsafe code: intrinsics, which need a processor that has them.
//! The vector types are private and a [`Path`] exists only where its instructions do, so safe code can't misuse them.
#![allow(unsafe_code)]

use crate::error::{Error, Result};

/// As many doubles as a register holds, one of an independent problem in each lane.
pub(crate) trait Vector: Copy {
    /// The number of lanes, at most [`MOST_LANES`].
    const LANES: usize;
    /// The same number in every lane.
    fn splat(x: f64) -> Self;
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
    /// Zeros whose sign is the bit of that lane's word that a shift to the left by `shift` moves to the front.
    fn signs(words: &[u64; MOST_LANES], shift: u64) -> Self;
    /// Entry `at + i` of every source, one source a lane, as `out[i]`; for [`Vector::LANES`] sources and vectors.
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]);
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
            paths.extend(is_x86_feature_detected!("avx512f").then_some(Self(Kind::Avx512)));
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

const SIGN: u64 = 1 << 63;

/// Four lanes without instructions of their own: the scalar twin of the others.
#[derive(Clone, Copy)]
struct Portable([f64; 4]);

impl Portable {
    #[inline(always)]
    fn each(f: impl FnMut(usize) -> f64) -> Self {
        Self(std::array::from_fn(f))
    }
}

impl Vector for Portable {
    const LANES: usize = 4;
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    fn load(from: &[f64]) -> Self {
        Self::each(|l| from[l])
    }
    #[inline(always)]
    fn store(self, to: &mut [f64]) {
        to[..4].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::each(|l| self.0[l] + other.0[l])
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::each(|l| self.0[l] - other.0[l])
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::each(|l| self.0[l] * other.0[l])
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self::each(|l| self.0[l] / other.0[l])
    }
    #[inline(always)]
    fn fma(self, factor: Self, term: Self) -> Self {
        Self::each(|l| self.0[l].mul_add(factor.0[l], term.0[l]))
    }
    #[inline(always)]
    fn fnma(self, factor: Self, term: Self) -> Self {
        Self::each(|l| (-self.0[l]).mul_add(factor.0[l], term.0[l]))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self::each(|l| if self.0[l] < other.0[l] { self.0[l] } else { other.0[l] })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::each(|l| if self.0[l] > other.0[l] { self.0[l] } else { other.0[l] })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Self::each(|l| f64::from_bits(self.0[l].to_bits() ^ other.0[l].to_bits()))
    }
    #[inline(always)]
    fn less(self, other: Self) -> u8 {
        (0..4).fold(0, |mask, l| mask | u8::from(self.0[l] < other.0[l]) << l)
    }
    #[inline(always)]
    fn select(mask: u8, yes: Self, no: Self) -> Self {
        Self::each(|l| if mask >> l & 1 == 1 { yes.0[l] } else { no.0[l] })
    }
    #[inline(always)]
    fn scale(self, exponent: Self) -> Self {
        Self::each(|l| f64::from_bits(self.0[l].to_bits().wrapping_add(exponent.0[l].to_bits() << 52)))
    }
    #[inline(always)]
    fn signs(words: &[u64; MOST_LANES], shift: u64) -> Self {
        Self::each(|l| f64::from_bits(words[l] << shift & SIGN))
    }
    #[inline(always)]
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
        (0..4).for_each(|i| out[i] = Self::each(|l| sources[l][at + i]));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Kernel, MOST_LANES, SIGN, Vector};

    /// SAFETY: the processor must have AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx512>()
    }

    /// SAFETY: the processor must have AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Avx2>()
    }

    #[derive(Clone, Copy)]
    pub(super) struct Avx512(__m512d);

    #[derive(Clone, Copy)]
    pub(super) struct Avx2(__m256d);

    /// The operations that both widths have under names of the same kind.
    macro_rules! common {
        ($lanes:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
         $fma:ident, $fnma:ident, $min:ident, $max:ident) => {
            const LANES: usize = $lanes;
            #[inline(always)]
            fn splat(x: f64) -> Self {
                // SAFETY: here and below, vectors are used only by kernels on a path that the processor has.
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            fn load(from: &[f64]) -> Self {
                // SAFETY: the slice is as long as what is read.
                Self(unsafe { $load(from[..$lanes].as_ptr()) })
            }
            #[inline(always)]
            fn store(self, to: &mut [f64]) {
                // SAFETY: the slice is as long as what is written.
                unsafe { $store(to[..$lanes].as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                Self(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                Self(unsafe { $div(self.0, other.0) })
            }
            #[inline(always)]
            fn fma(self, factor: Self, term: Self) -> Self {
                Self(unsafe { $fma(self.0, factor.0, term.0) })
            }
            #[inline(always)]
            fn fnma(self, factor: Self, term: Self) -> Self {
                Self(unsafe { $fnma(self.0, factor.0, term.0) })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Self(unsafe { $min(self.0, other.0) })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self(unsafe { $max(self.0, other.0) })
            }
        };
    }

    impl Vector for Avx512 {
        common!(
            8,
            _mm512_set1_pd,
            _mm512_loadu_pd,
            _mm512_storeu_pd,
            _mm512_add_pd,
            _mm512_sub_pd,
            _mm512_mul_pd,
            _mm512_div_pd,
            _mm512_fmadd_pd,
            _mm512_fnmadd_pd,
            _mm512_min_pd,
            _mm512_max_pd
        );
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            Self(unsafe {
                _mm512_castsi512_pd(_mm512_xor_si512(
                    _mm512_castpd_si512(self.0),
                    _mm512_castpd_si512(other.0),
                ))
            })
        }
        #[inline(always)]
        fn less(self, other: Self) -> u8 {
            unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }
        }
        #[inline(always)]
        fn select(mask: u8, yes: Self, no: Self) -> Self {
            Self(unsafe { _mm512_mask_blend_pd(mask, no.0, yes.0) })
        }
        #[inline(always)]
        fn scale(self, exponent: Self) -> Self {
            Self(unsafe {
                let power = _mm512_slli_epi64::<52>(_mm512_castpd_si512(exponent.0));
                _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(self.0), power))
            })
        }
        #[inline(always)]
        fn signs(words: &[u64; MOST_LANES], shift: u64) -> Self {
            #[expect(clippy::cast_possible_wrap, reason = "bits")]
            Self(unsafe {
                let words = _mm512_loadu_si512(words.as_ptr().cast());
                let moved = _mm512_sllv_epi64(words, _mm512_set1_epi64(shift as i64));
                _mm512_castsi512_pd(_mm512_and_si512(moved, _mm512_set1_epi64(SIGN as i64)))
            })
        }
        #[inline(always)]
        fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
            let mut rows = [Self::splat(0.0); 8];
            for l in 0..8 {
                rows[l] = Self::load(&sources[l][at..]);
            }
            let out = &mut out[..8];
            // Pairs of doubles are paired, then halves of registers are, and then whole halves.
            unsafe {
                let (mut even, mut odd) = ([rows[0].0; 4], [rows[0].0; 4]);
                for i in 0..4 {
                    even[i] = _mm512_unpacklo_pd(rows[2 * i].0, rows[2 * i + 1].0);
                    odd[i] = _mm512_unpackhi_pd(rows[2 * i].0, rows[2 * i + 1].0);
                }
                for (parity, pairs) in [even, odd].into_iter().enumerate() {
                    // Blocks 0 and 2 (then 1 and 3) of the upper and of the lower four sources.
                    let near = _mm512_shuffle_f64x2::<0x88>(pairs[0], pairs[1]);
                    let far = _mm512_shuffle_f64x2::<0x88>(pairs[2], pairs[3]);
                    out[parity] = Self(_mm512_shuffle_f64x2::<0x88>(near, far));
                    out[parity + 4] = Self(_mm512_shuffle_f64x2::<0xdd>(near, far));
                    let near = _mm512_shuffle_f64x2::<0xdd>(pairs[0], pairs[1]);
                    let far = _mm512_shuffle_f64x2::<0xdd>(pairs[2], pairs[3]);
                    out[parity + 2] = Self(_mm512_shuffle_f64x2::<0x88>(near, far));
                    out[parity + 6] = Self(_mm512_shuffle_f64x2::<0xdd>(near, far));
                }
            }
        }
    }

    impl Vector for Avx2 {
        common!(
            4,
            _mm256_set1_pd,
            _mm256_loadu_pd,
            _mm256_storeu_pd,
            _mm256_add_pd,
            _mm256_sub_pd,
            _mm256_mul_pd,
            _mm256_div_pd,
            _mm256_fmadd_pd,
            _mm256_fnmadd_pd,
            _mm256_min_pd,
            _mm256_max_pd
        );
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            Self(unsafe { _mm256_xor_pd(self.0, other.0) })
        }
        #[inline(always)]
        fn less(self, other: Self) -> u8 {
            let bits = unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0)) };
            #[expect(clippy::cast_sign_loss, reason = "four bits")]
            return bits as u8;
        }
        #[inline(always)]
        fn select(mask: u8, yes: Self, no: Self) -> Self {
            Self(unsafe {
                let own = _mm256_setr_epi64x(1, 2, 4, 8);
                let set = _mm256_and_si256(_mm256_set1_epi64x(i64::from(mask)), own);
                _mm256_blendv_pd(no.0, yes.0, _mm256_castsi256_pd(_mm256_cmpeq_epi64(set, own)))
            })
        }
        #[inline(always)]
        fn scale(self, exponent: Self) -> Self {
            Self(unsafe {
                let power = _mm256_slli_epi64::<52>(_mm256_castpd_si256(exponent.0));
                _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(self.0), power))
            })
        }
        #[inline(always)]
        fn signs(words: &[u64; MOST_LANES], shift: u64) -> Self {
            #[expect(clippy::cast_possible_wrap, reason = "bits")]
            Self(unsafe {
                let words = _mm256_loadu_si256(words.as_ptr().cast());
                let moved = _mm256_sllv_epi64(words, _mm256_set1_epi64x(shift as i64));
                _mm256_castsi256_pd(_mm256_and_si256(moved, _mm256_set1_epi64x(SIGN as i64)))
            })
        }
        #[inline(always)]
        fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
            let mut rows = [Self::splat(0.0); 4];
            for l in 0..4 {
                rows[l] = Self::load(&sources[l][at..]);
            }
            let out = &mut out[..4];
            unsafe {
                let even = [0, 2].map(|l| _mm256_unpacklo_pd(rows[l].0, rows[l + 1].0));
                let odd = [0, 2].map(|l| _mm256_unpackhi_pd(rows[l].0, rows[l + 1].0));
                out[0] = Self(_mm256_permute2f128_pd::<0x20>(even[0], even[1]));
                out[1] = Self(_mm256_permute2f128_pd::<0x20>(odd[0], odd[1]));
                out[2] = Self(_mm256_permute2f128_pd::<0x31>(even[0], even[1]));
                out[3] = Self(_mm256_permute2f128_pd::<0x31>(odd[0], odd[1]));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::{MOST_LANES, SIGN, Vector};

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
        #[inline(always)]
        fn signs(words: &[u64; MOST_LANES], shift: u64) -> Self {
            Self::load(&[0, 1].map(|l| f64::from_bits(words[l] << shift & SIGN)))
        }
        #[inline(always)]
        fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
            let (a, b) = (Self::load(&sources[0][at..]), Self::load(&sources[1][at..]));
            out[0] = Self(unsafe { vzip1q_f64(a.0, b.0) });
            out[1] = Self(unsafe { vzip2q_f64(a.0, b.0) });
        }
    }
}
