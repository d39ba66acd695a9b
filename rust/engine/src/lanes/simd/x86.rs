//! AVX-512, and AVX2 with fused multiply-add.

use std::arch::x86_64::*;

use super::{Kernel, MOST_LANES, Task, Vector};

/// SAFETY: the processor must have AVX-512F and DQ.
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

/// SAFETY: the processor must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// SAFETY: as [`avx512`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn apart512<T: Task>(task: T) -> T::Output {
    task.run()
}

/// SAFETY: as [`avx2`].
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
unsafe fn apart256<T: Task>(task: T) -> T::Output {
    task.run()
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
        fn fetch(numbers: &[f64]) {
            for line in numbers.as_chunks::<8>().0 {
                // SAFETY: this is a hint, whatever the address.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
            }
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
    fn apart<T: Task>(task: T) -> T::Output {
        // SAFETY: as above.
        unsafe { apart512(task) }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm512_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn upper_53(self) -> Self {
        Self(unsafe { _mm512_cvtepu64_pd(_mm512_srli_epi64::<11>(_mm512_castpd_si512(self.0))) })
    }
    #[inline(always)]
    fn add_halves(self, other: Self) -> Self {
        Self(unsafe {
            _mm512_castsi512_pd(_mm512_add_epi32(
                _mm512_castpd_si512(self.0),
                _mm512_castpd_si512(other.0),
            ))
        })
    }
    #[inline(always)]
    fn rotate_halves<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        Self(unsafe { _mm512_castsi512_pd(_mm512_rol_epi32::<LEFT>(_mm512_castpd_si512(self.0))) })
    }
    #[inline(always)]
    fn lower_halves(self, other: Self) -> Self {
        Self(unsafe {
            let up = _mm512_slli_epi64::<32>(_mm512_castpd_si512(other.0));
            _mm512_castsi512_pd(_mm512_mask_blend_epi32(0xaaaa, _mm512_castpd_si512(self.0), up))
        })
    }
    #[inline(always)]
    fn upper_halves(self, other: Self) -> Self {
        Self(unsafe {
            let down = _mm512_srli_epi64::<32>(_mm512_castpd_si512(self.0));
            _mm512_castsi512_pd(_mm512_mask_blend_epi32(0xaaaa, down, _mm512_castpd_si512(other.0)))
        })
    }
    #[inline(always)]
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
        let mut rows = [Self::splat(0.0).0; 8];
        for l in 0..8 {
            rows[l] = Self::load(&sources[l][at..]).0;
        }
        let columns = transposed8(&rows);
        out[..8]
            .iter_mut()
            .zip(columns)
            .for_each(|(out, column)| *out = Self(column));
    }
    #[inline(always)]
    fn scatter(vectors: &[Self], at: usize, targets: &mut [&mut [f64]; MOST_LANES]) {
        let mut rows = [Self::splat(0.0).0; 8];
        rows.iter_mut()
            .zip(&vectors[..8])
            .for_each(|(row, vector)| *row = vector.0);
        let columns = transposed8(&rows);
        for l in 0..8 {
            Self(columns[l]).store(&mut targets[l][at..]);
        }
    }
}

/// Pairs of doubles are paired, then halves of registers are, and then whole halves.
#[inline(always)]
fn transposed8(rows: &[__m512d; 8]) -> [__m512d; 8] {
    let mut out = *rows;
    unsafe {
        let (mut even, mut odd) = ([rows[0]; 4], [rows[0]; 4]);
        for i in 0..4 {
            even[i] = _mm512_unpacklo_pd(rows[2 * i], rows[2 * i + 1]);
            odd[i] = _mm512_unpackhi_pd(rows[2 * i], rows[2 * i + 1]);
        }
        for (parity, pairs) in [even, odd].into_iter().enumerate() {
            // Blocks 0 and 2 (then 1 and 3) of the upper and of the lower four rows.
            let near = _mm512_shuffle_f64x2::<0x88>(pairs[0], pairs[1]);
            let far = _mm512_shuffle_f64x2::<0x88>(pairs[2], pairs[3]);
            out[parity] = _mm512_shuffle_f64x2::<0x88>(near, far);
            out[parity + 4] = _mm512_shuffle_f64x2::<0xdd>(near, far);
            let near = _mm512_shuffle_f64x2::<0xdd>(pairs[0], pairs[1]);
            let far = _mm512_shuffle_f64x2::<0xdd>(pairs[2], pairs[3]);
            out[parity + 2] = _mm512_shuffle_f64x2::<0x88>(near, far);
            out[parity + 6] = _mm512_shuffle_f64x2::<0xdd>(near, far);
        }
    }
    out
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
    fn apart<T: Task>(task: T) -> T::Output {
        // SAFETY: as above.
        unsafe { apart256(task) }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm256_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    fn upper_53(self) -> Self {
        // Halves as the last bits of 2^52 and of 2^84, from which both are subtracted again: nothing is rounded.
        const LOWER: f64 = (1_u64 << 52) as f64;
        const UPPER: f64 = (1_u128 << 84) as f64;
        unsafe {
            let shifted = _mm256_srli_epi64::<11>(_mm256_castpd_si256(self.0));
            let lower = _mm256_blend_epi32::<0xaa>(shifted, _mm256_castpd_si256(_mm256_set1_pd(LOWER)));
            let upper = _mm256_xor_si256(
                _mm256_srli_epi64::<32>(shifted),
                _mm256_castpd_si256(_mm256_set1_pd(UPPER)),
            );
            let upper = Self(_mm256_castsi256_pd(upper)).sub(Self::splat(UPPER + LOWER));
            upper.add(Self(_mm256_castsi256_pd(lower)))
        }
    }
    #[inline(always)]
    fn add_halves(self, other: Self) -> Self {
        Self(unsafe {
            _mm256_castsi256_pd(_mm256_add_epi32(
                _mm256_castpd_si256(self.0),
                _mm256_castpd_si256(other.0),
            ))
        })
    }
    #[inline(always)]
    fn rotate_halves<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        Self(unsafe {
            let bits = _mm256_castpd_si256(self.0);
            let (left, right) = (_mm256_slli_epi32::<LEFT>(bits), _mm256_srli_epi32::<RIGHT>(bits));
            _mm256_castsi256_pd(_mm256_or_si256(left, right))
        })
    }
    #[inline(always)]
    fn lower_halves(self, other: Self) -> Self {
        Self(unsafe {
            let up = _mm256_slli_epi64::<32>(_mm256_castpd_si256(other.0));
            _mm256_castsi256_pd(_mm256_blend_epi32::<0xaa>(_mm256_castpd_si256(self.0), up))
        })
    }
    #[inline(always)]
    fn upper_halves(self, other: Self) -> Self {
        Self(unsafe {
            let down = _mm256_srli_epi64::<32>(_mm256_castpd_si256(self.0));
            _mm256_castsi256_pd(_mm256_blend_epi32::<0xaa>(down, _mm256_castpd_si256(other.0)))
        })
    }
    #[inline(always)]
    fn transpose(sources: &[&[f64]; MOST_LANES], at: usize, out: &mut [Self]) {
        let mut rows = [Self::splat(0.0).0; 4];
        for l in 0..4 {
            rows[l] = Self::load(&sources[l][at..]).0;
        }
        let columns = transposed4(&rows);
        out[..4]
            .iter_mut()
            .zip(columns)
            .for_each(|(out, column)| *out = Self(column));
    }
    #[inline(always)]
    fn scatter(vectors: &[Self], at: usize, targets: &mut [&mut [f64]; MOST_LANES]) {
        let mut rows = [Self::splat(0.0).0; 4];
        rows.iter_mut()
            .zip(&vectors[..4])
            .for_each(|(row, vector)| *row = vector.0);
        let columns = transposed4(&rows);
        for l in 0..4 {
            Self(columns[l]).store(&mut targets[l][at..]);
        }
    }
}

#[inline(always)]
fn transposed4(rows: &[__m256d; 4]) -> [__m256d; 4] {
    unsafe {
        let even = [0, 2].map(|l| _mm256_unpacklo_pd(rows[l], rows[l + 1]));
        let odd = [0, 2].map(|l| _mm256_unpackhi_pd(rows[l], rows[l + 1]));
        [
            _mm256_permute2f128_pd::<0x20>(even[0], even[1]),
            _mm256_permute2f128_pd::<0x20>(odd[0], odd[1]),
            _mm256_permute2f128_pd::<0x31>(even[0], even[1]),
            _mm256_permute2f128_pd::<0x31>(odd[0], odd[1]),
        ]
    }
}
