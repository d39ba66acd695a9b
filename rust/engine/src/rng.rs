//! Random streams: every (seed, purpose, unit, replicate) is the key of its own ChaCha8 generator, so no number depends
//! on threads, on chunking, or on which other units there are.
//!
//! The 256-bit key is the four little-endian 64-bit words of the tuple; the nonce is zero and the 64-bit block counter
//! starts at zero (Bernstein's layout, not RFC 8439's 32-bit counter). One draw is one 64-bit word of the key stream,
//! low half first. These choices are frozen: a change would silently change every study that names its seed.

use std::f64::consts::SQRT_2;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::function::erf::erfc_inv;

use crate::error::{Error, Result};
use crate::parallel::Interrupt;

/// Draws between two looks at the interrupt flag: under a millisecond of work.
const DRAWS_PER_CHECK: usize = 1 << 16;

/// What a stream is for; the numbers are part of every key and are never given to another purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Target weights.
    Targets = 1,
    /// Values of the options of pairs.
    Pairs = 2,
    /// Choices between options.
    Choices = 3,
    /// Weight reports.
    Reports = 4,
    /// Trials drawn with replacement within agents.
    TrialBootstrap = 5,
    /// Contexts drawn with replacement.
    ContextBootstrap = 6,
    /// Draws from the Laplace approximation of a posterior.
    Laplace = 7,
    /// Random halves of replies.
    Halves = 8,
    /// Agents of a simulated study: targets, common sense, weights in force.
    StudyAgents = 9,
    /// Pairs and choices of a simulated study.
    StudyDecisions = 10,
    /// Beliefs and replies of a simulated study.
    StudyReports = 11,
    /// Slopes, starts and places of optimal pairs.
    OptimalPairs = 12,
    /// Everything that the simulated provider draws: weights, errors, choices, replies, faults.
    SimulatedProvider = 13,
    /// Which option of a pair is shown first.
    OptionOrder = 14,
    /// Whose target weights are taught in the place of a context's own.
    ShuffledTargets = 15,
    /// Anything that users of the package draw for themselves.
    User = 255,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Self; 16] = [
        Self::Targets,
        Self::Pairs,
        Self::Choices,
        Self::Reports,
        Self::TrialBootstrap,
        Self::ContextBootstrap,
        Self::Laplace,
        Self::Halves,
        Self::StudyAgents,
        Self::StudyDecisions,
        Self::StudyReports,
        Self::OptimalPairs,
        Self::SimulatedProvider,
        Self::OptionOrder,
        Self::ShuffledTargets,
        Self::User,
    ];

    /// The number of this purpose in keys.
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// The purpose of that number.
    pub fn from_code(code: u64) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.code() == code)
            .ok_or_else(|| Error::input("purpose", "1 to 13, or 255", code))
    }
}

/// The place of the unit in [`key`].
pub(crate) const UNIT_WORD: usize = 2;

/// The key of a stream.
pub(crate) const fn key(seed: u64, purpose: Purpose, unit: u64, replicate: u64) -> [u64; 4] {
    [seed, purpose.code(), unit, replicate]
}

/// One independent, seekable sequence of draws.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of that tuple, at its first draw.
    pub fn new(seed: u64, purpose: Purpose, unit: u64, replicate: u64) -> Self {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(key(seed, purpose, unit, replicate)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// Moves to the draw of that index, counted from 0; [`Stream::uniform`] and [`Stream::normal`] take one draw each.
    pub fn seek(&mut self, draw_index: u64) {
        self.0.set_word_pos(2 * u128::from(draw_index));
    }

    /// The next draw, all 64 bits of it.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills with the draws that as many calls of [`Stream::bits`] would give, several times as fast.
    pub fn fill_bits(&mut self, out: &mut [u64]) {
        const AT_ONCE: usize = 64;
        let mut bytes = [0; 8 * AT_ONCE];
        for part in out.chunks_mut(AT_ONCE) {
            let bytes = &mut bytes[..8 * part.len()];
            self.0.fill_bytes(bytes);
            for (word, bytes) in part.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
    }

    /// Uniform on the multiples of 2^-53 in [0, 1).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        uniform(self.bits())
    }

    /// Standard normal, by the quantile function of one uniform: always finite, |z| < 8.3.
    ///
    /// The uniform is the midpoint of one of 2^52 cells. With 2^53 cells the last midpoint would round to 1, whose
    /// quantile is infinite.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 52) as f64;
        let p = ((self.bits() >> 12) as f64 + 0.5) * STEP;
        -SQRT_2 * erfc_inv(2.0 * p)
    }

    /// Uniform on 0, ..., n - 1, without bias (Lemire 2019, ACM TOMACS 29:3); takes a second draw with probability
    /// below n / 2^64. None of the n integers can be drawn where n is 0: that is an error.
    #[inline]
    pub fn below(&mut self, n: u64) -> Result<u64> {
        if n == 0 {
            return Err(Error::input("n", "a positive integer", n));
        }
        let mut product = u128::from(self.bits()) * u128::from(n);
        // Only a low half under n can be under the threshold, which spares nearly every call the division.
        if low_half(product) < n {
            let threshold = n.wrapping_neg() % n;
            while low_half(product) < threshold {
                product = u128::from(self.bits()) * u128::from(n);
            }
        }
        Ok((product >> 64) as u64)
    }

    /// Hands over what `count` calls of [`Stream::below`] would give, several times as fast; zeros where `n` is 0.
    pub fn each_below(&mut self, n: usize, count: usize, mut take: impl FnMut(usize)) {
        const AT_ONCE: usize = 64;
        let mut words = [0; AT_ONCE];
        for start in (0..count).step_by(AT_ONCE) {
            let words = &mut words[..AT_ONCE.min(count - start)];
            let before = self.0.get_word_pos();
            self.fill_bits(words);
            let mut least = u64::MAX;
            for word in words.iter_mut() {
                let product = u128::from(*word) * n as u128;
                least = least.min(low_half(product));
                *word = (product >> 64) as u64;
            }
            // A draw that may have to be drawn again moves all that follow.
            if least < n as u64 {
                self.0.set_word_pos(before);
                for word in words.iter_mut() {
                    *word = self.below(n as u64).unwrap_or(0);
                }
            }
            // Below n, which is a length.
            #[allow(clippy::cast_possible_truncation)]
            words.iter().for_each(|&word| take(word as usize));
        }
    }

    /// Fills with [`Stream::uniform`].
    pub fn fill_uniform(&mut self, out: &mut [f64]) {
        out.fill_with(|| self.uniform());
    }

    /// Fills with [`Stream::normal`].
    pub fn fill_normal(&mut self, out: &mut [f64]) {
        out.fill_with(|| self.normal());
    }
}

/// The uniform that [`Stream::uniform`] makes of a draw.
#[inline]
pub(crate) fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 * UNIFORM_STEP
}

/// The distance of neighbouring uniforms.
pub(crate) const UNIFORM_STEP: f64 = 1.0 / (1u64 << 53) as f64;

fn low_half(product: u128) -> u64 {
    product as u64
}

/// `size` values of `fill` ([`Stream::fill_uniform`] or [`Stream::fill_normal`]) from the stream's present place on.
pub fn draw(
    mut stream: Stream,
    fill: fn(&mut Stream, &mut [f64]),
    size: usize,
    interrupt: &Interrupt,
) -> Result<Vec<f64>> {
    let mut out: Vec<f64> = Vec::new();
    out.try_reserve_exact(size)
        .map_err(|_| Error::input("size", "as many values as fit into memory", size))?;
    while out.len() < size {
        interrupt.check()?;
        let filled = out.len();
        out.resize(size.min(filled + DRAWS_PER_CHECK), 0.0);
        fill(&mut stream, &mut out[filled..]);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_those_written_into_keys() {
        let codes = Purpose::ALL.map(Purpose::code);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255]);
        for code in codes {
            assert_eq!(Purpose::from_code(code).map(Purpose::code), Ok(code));
        }
        assert!(Purpose::from_code(0).is_err() && Purpose::from_code(254).is_err());
    }

    #[test]
    fn below_is_uniform_and_uses_every_integer() {
        let mut stream = Stream::new(1, Purpose::User, 0, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7).expect("positive") as usize] += 1;
        }
        // Chi-squared with 6 degrees of freedom: 22.5 is its .999 quantile.
        let statistic: f64 = counts.iter().map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4).sum();
        assert!(statistic < 22.5, "{counts:?}");
        assert!(stream.below(0).is_err());
    }

    #[test]
    fn below_rejects_where_a_plain_product_would_be_biased() {
        // For n = 3 * 2^62 the plain product gives multiples of 3 twice the mass of the others.
        let (n, draws) = (3u64 << 62, 30_000);
        let mut stream = Stream::new(2, Purpose::User, 0, 0);
        let multiples = (0..draws)
            .filter(|_| stream.below(n).expect("positive").is_multiple_of(3))
            .count();
        let share = multiples as f64 / f64::from(draws);
        assert!((share - 1.0 / 3.0).abs() < 0.012, "{share}");
    }

    proptest! {
        #[test]
        fn seek_finds_the_draw_of_that_index(seed: u64, unit: u64, replicate: u64, index in 0usize..300) {
            let mut stream = Stream::new(seed, Purpose::Pairs, unit, replicate);
            let all: Vec<u64> = (0..=index).map(|_| stream.bits()).collect();
            stream.seek(index as u64);
            prop_assert_eq!(stream.bits(), all[index]);
        }

        #[test]
        fn draws_at_once_are_the_draws_one_by_one(seed: u64, before in 0usize..40, count in 0usize..200) {
            let (mut one, mut other) = (Stream::new(seed, Purpose::User, 0, 0), Stream::new(seed, Purpose::User, 0, 0));
            for _ in 0..before {
                prop_assert_eq!(one.bits(), other.bits());
            }
            let mut found = vec![0; count];
            one.fill_bits(&mut found);
            let expected: Vec<u64> = (0..count).map(|_| other.bits()).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(one.bits(), other.bits());
        }

        #[test]
        fn draws_below_at_once_are_the_draws_one_by_one(seed: u64, shift in 0u32..64, n: usize, count in 0usize..200) {
            let n = (n >> shift).max(1);
            let (mut one, mut other) = (Stream::new(seed, Purpose::User, 0, 0), Stream::new(seed, Purpose::User, 0, 0));
            let mut found = Vec::new();
            one.each_below(n, count, |value| found.push(value as u64));
            let expected: Vec<u64> = (0..count).map(|_| other.below(n as u64).expect("positive")).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(one.bits(), other.bits());
        }

        #[test]
        fn every_word_of_the_tuple_matters(seed: u64, unit: u64, replicate: u64) {
            let first = |s, p, u, r| Stream::new(s, p, u, r).bits();
            let here = first(seed, Purpose::Pairs, unit, replicate);
            prop_assert_ne!(here, first(!seed, Purpose::Pairs, unit, replicate));
            prop_assert_ne!(here, first(seed, Purpose::Choices, unit, replicate));
            prop_assert_ne!(here, first(seed, Purpose::Pairs, !unit, replicate));
            prop_assert_ne!(here, first(seed, Purpose::Pairs, unit, !replicate));
        }

        #[test]
        fn draws_stay_in_their_domains(seed: u64, offset: u64, n in 1u64..) {
            let mut stream = Stream::new(seed, Purpose::User, 0, 0);
            stream.seek(offset);
            let uniform = stream.uniform();
            prop_assert!((0.0..1.0).contains(&uniform));
            prop_assert!(stream.normal().abs() < 8.3);
            prop_assert!(stream.below(n).expect("positive") < n);
        }
    }
}
