"""Sweeps: small grids, and what two tests of them look at."""

import polars as pl

TINY = {"trained_decisions": 12, "native_decisions": 12, "reports": 2}
GRID = {"agents": [6, 9], **TINY}


def same(one, other):
    assert one.table.equals(other.table, null_equal=True)


def frames(folder):
    return {path.name: pl.read_parquet(path) for path in sorted(folder.glob("cells/*.parquet"))}
