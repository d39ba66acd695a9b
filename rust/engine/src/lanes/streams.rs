//! As many random streams as there are lanes, drawn from side by side: the draws of [`crate::rng::Stream`].

use std::ops::Range;

use crate::rng::{Purpose, UNIT_WORD};

use super::simd::{MOST_LANES, Vector};

/// The draws of each stream that are made at a time: two blocks of eight.
pub(super) const AT_ONCE: usize = 16;

/// The words that every state of ChaCha begins with: "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Two rounds: columns and diagonals.
const DOUBLE_ROUNDS: usize = 4;

/// ChaCha8 generators, one a lane. The lower half of every lane works on a block with an even number, the upper half on
/// the next one.
pub(super) struct Streams<V> {
    key: [V; 8],
    /// The state after the first quarter rounds of all columns but the one with the lower word of the number of the block,
    /// with zero as its upper word: the same for all blocks that are ever drawn.
    begun: [V; 16],
}

impl<V: Vector> Streams<V> {
    /// The streams of these units, one a lane.
    #[inline(always)]
    pub(super) fn new(seed: u64, purpose: Purpose, units: &[u64; MOST_LANES], replicate: u64) -> Self {
        let mut key = [V::splat(0.0); 8];
        let words = crate::rng::key(seed, purpose, 0, replicate);
        for (i, word) in words.into_iter().enumerate() {
            let word = if i == UNIT_WORD {
                V::words(units)
            } else {
                V::splat(f64::from_bits(word))
            };
            (key[2 * i], key[2 * i + 1]) = (word.lower_halves(word), word.upper_halves(word));
        }
        let mut begun = start(&key, 0);
        round(&mut begun, 0, 1..4);
        Self { key, begun }
    }

    /// Draws `16 * place` to `16 * place + 15` of every stream: all 64 bits of them.
    #[inline(always)]
    pub(super) fn draws(&self, place: u64) -> [V; AT_ONCE] {
        let block = 2 * place;
        let start = start(&self.key, block);
        let mut x = self.begun;
        x[12] = start[12];
        if block >> 32 != 0 {
            x = start;
            round(&mut x, 0, 1..4);
        }
        round(&mut x, 0, 0..1);
        round(&mut x, 1, 0..4);
        for _ in 1..DOUBLE_ROUNDS {
            round(&mut x, 0, 0..4);
            round(&mut x, 1, 0..4);
        }
        let mut draws = [V::splat(0.0); AT_ONCE];
        for i in 0..16 {
            x[i] = x[i].add_halves(start[i]);
        }
        for i in 0..8 {
            draws[i] = x[2 * i].lower_halves(x[2 * i + 1]);
            draws[8 + i] = x[2 * i].upper_halves(x[2 * i + 1]);
        }
        draws
    }
}

/// The state that a block (of an even number) and the next one begin with.
#[inline(always)]
fn start<V: Vector>(key: &[V; 8], block: u64) -> [V; 16] {
    let mut state = [V::splat(0.0); 16];
    for i in 0..4 {
        state[i] = both(CONSTANTS[i], CONSTANTS[i]);
    }
    state[4..12].copy_from_slice(key);
    let (lower, upper) = (block as u32, (block >> 32) as u32);
    (state[12], state[13]) = (both(lower, lower + 1), both(upper, upper));
    state
}

/// A quarter round (Bernstein 2008, "ChaCha, a variant of Salsa20") of some columns, or (`shift` 1) diagonals of the state. All
/// go on step by step, so that none waits for its own last step.
#[inline(always)]
fn round<V: Vector>(x: &mut [V; 16], shift: usize, columns: Range<usize>) {
    half_round::<V, 16, 16>(x, shift, columns.clone(), [0, 1, 3]);
    half_round::<V, 12, 20>(x, shift, columns.clone(), [2, 3, 1]);
    half_round::<V, 8, 24>(x, shift, columns.clone(), [0, 1, 3]);
    half_round::<V, 7, 25>(x, shift, columns, [2, 3, 1]);
}

/// Adds one row to another, and turns a third by what comes out.
#[inline(always)]
fn half_round<V: Vector, const LEFT: i32, const RIGHT: i32>(
    x: &mut [V; 16],
    shift: usize,
    columns: Range<usize>,
    [sum, term, turned]: [usize; 3],
) {
    let place = |row: usize, column: usize| 4 * row + (column + row * shift) % 4;
    for i in columns.clone() {
        x[place(sum, i)] = x[place(sum, i)].add_halves(x[place(term, i)]);
    }
    for i in columns.clone() {
        x[place(turned, i)] = x[place(turned, i)].xor(x[place(sum, i)]);
    }
    for i in columns {
        x[place(turned, i)] = x[place(turned, i)].rotate_halves::<LEFT, RIGHT>();
    }
}

/// The same halves in every lane.
#[inline(always)]
fn both<V: Vector>(lower: u32, upper: u32) -> V {
    V::splat(f64::from_bits(u64::from(upper) << 32 | u64::from(lower)))
}
