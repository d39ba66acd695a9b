"""Random streams: the numbers are ChaCha8's own, seeking is exact, and every word of the key matters.

The oracle is a ChaCha written here from Bernstein's description, itself held to two published vectors: RFC 8439 section
2.3.2 (20 rounds) and draft-strombergson-chacha-test-vectors-01, TC1 (8 rounds).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from avowal.errors import InputError
from avowal.rng import Purpose, normals, uniforms, unit_id

MASK = 2**32 - 1
u64 = st.integers(0, 2**64 - 1)
purposes = st.sampled_from(Purpose)

# Seed, purpose, unit, replicate, draw, and that draw's 53 bits: written down once so that no release changes a study.
GOLDEN = [
    (0, Purpose.USER, 0, 0, 0, 7669449755163175),
    (1, Purpose.PAIRS, 2578344550710043658, 0, 0, 8520211404180380),
    (2**64 - 1, Purpose.CHOICES, 2**64 - 1, 2**64 - 1, 1000, 6538741839473935),
]


def quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    for left, right, other, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[left] = (x[left] + x[right]) & MASK
        x[other] ^= x[left]
        x[other] = ((x[other] << bits) | (x[other] >> (32 - bits))) & MASK


def chacha_block(key: bytes, last_row: tuple[int, int, int, int], rounds: int) -> bytes:
    start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *last_row]
    x = list(start)
    for _ in range(rounds // 2):
        for i in range(4):
            quarter_round(x, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(x, start, strict=True)))


def draws(seed: int, purpose: int, unit: int, replicate: int, first: int) -> Iterator[int]:
    """64-bit draws, 8 to a block: the counter takes the first two words of the last row, the nonce is zero."""
    key = struct.pack("<4Q", seed, purpose, unit, replicate)
    block, skip = divmod(first, 8)
    while True:
        counter = block & (2**64 - 1)
        words = struct.unpack("<8Q", chacha_block(key, (counter & MASK, counter >> 32, 0, 0), 8))
        yield from words[skip:]
        block, skip = block + 1, 0


def test_the_oracle_is_chacha() -> None:
    rfc = chacha_block(bytes(range(32)), (1, 0x09000000, 0x4A000000, 0), 20)
    assert rfc[:16].hex() == "10f1e7e4d13b5915500fdd1fa32071c4"
    eight = chacha_block(bytes(32), (0, 0, 0, 0), 8)
    assert eight[:32].hex() == "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e"


@given(u64, purposes, u64, u64, st.one_of(st.integers(0, 300), u64), st.integers(0, 40))
def test_uniforms_are_the_top_bits_of_chacha8(
    seed: int, purpose: Purpose, unit: int, replicate: int, offset: int, size: int
) -> None:
    oracle = draws(seed, purpose, unit, replicate, offset)
    expected = [(next(oracle) >> 11) * 2.0**-53 for _ in range(size)]
    assert uniforms(seed, purpose, unit, replicate, size, offset=offset).tolist() == expected


@pytest.mark.parametrize(("seed", "purpose", "unit", "replicate", "draw", "bits"), GOLDEN)
def test_numbers_never_change(seed: int, purpose: Purpose, unit: int, replicate: int, draw: int, bits: int) -> None:
    assert uniforms(seed, purpose, unit, replicate, 1, offset=draw)[0] == bits * 2.0**-53
    assert next(draws(seed, purpose, unit, replicate, draw)) >> 11 == bits


@given(u64, purposes, st.integers(0, 200), st.integers(0, 200))
def test_an_offset_skips(seed: int, purpose: Purpose, offset: int, size: int) -> None:
    for draw in (uniforms, normals):
        whole = draw(seed, purpose, 3, 4, offset + size)
        assert np.array_equal(whole[offset:], draw(seed, purpose, 3, 4, size, offset=offset))


def test_normals_are_quantiles_of_their_draws() -> None:
    oracle = draws(9, Purpose.LAPLACE, 1, 2, 0)
    p = np.array([((next(oracle) >> 12) + 0.5) * 2.0**-52 for _ in range(20_000)])
    found = normals(9, Purpose.LAPLACE, 1, 2, p.size)
    assert np.allclose(found, special.ndtri(p), rtol=1e-12, atol=1e-15)
    assert stats.kstest(found, "norm").pvalue > 0.001


def test_streams_of_neighbouring_keys_are_uncorrelated() -> None:
    keys = [(0, 0), (0, 1), (1, 0), (1, 1)]
    streams = np.array([uniforms(5, Purpose.USER, unit, replicate, 50_000) for unit, replicate in keys])
    off_diagonal = np.corrcoef(streams)[~np.eye(4, dtype=bool)]
    assert np.abs(off_diagonal).max() < 4 / np.sqrt(50_000)
    assert stats.kstest(streams.ravel(), "uniform").pvalue > 0.001


def test_unit_ids_never_change() -> None:
    assert unit_id("loose_leaf_tea") == 2578344550710043658
    assert unit_id("") == int.from_bytes(bytes.fromhex("786a02f742015903"), "little")


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ((-1, Purpose.USER, 0, 0, 1), "seed"),
        ((2**64, Purpose.USER, 0, 0, 1), "seed"),
        ((1.0, Purpose.USER, 0, 0, 1), "seed"),
        ((0, 254, 0, 0, 1), "purpose"),
        ((0, Purpose.USER, -1, 0, 1), "unit"),
        ((0, Purpose.USER, 0, -1, 1), "replicate"),
        ((0, Purpose.USER, 0, 0, -1), "size"),
        ((0, Purpose.USER, 0, 0, 2**62), "size"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[int, Purpose, int, int, int], place: str) -> None:
    for draw in (uniforms, normals):
        with pytest.raises(InputError, match=f"^{place}: expected"):
            draw(*arguments)
