import numpy as np
from numpy.typing import NDArray

__version__: str

def uniforms(seed: int, purpose: int, unit: int, replicate: int, size: int, offset: int) -> NDArray[np.float64]: ...
def normals(seed: int, purpose: int, unit: int, replicate: int, size: int, offset: int) -> NDArray[np.float64]: ...
def draw_pairs(
    mins: NDArray[np.float64],
    maxs: NDArray[np.float64],
    attributes: int,
    units: NDArray[np.uint64],
    trials: int,
    seed: int,
    threads: int,
) -> NDArray[np.float64]: ...
def differences(
    mins: NDArray[np.float64], maxs: NDArray[np.float64], attributes: int, pairs: NDArray[np.float64]
) -> NDArray[np.float64]: ...
def decimals(range: float) -> int: ...  # noqa: A002
def round_decimals(x: float, decimals: int) -> float: ...
def draw_targets(units: NDArray[np.uint64], attributes: int, seed: int) -> NDArray[np.float64]: ...
def utilities(
    mins: NDArray[np.float64],
    maxs: NDArray[np.float64],
    attributes: int,
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]: ...
def choices(
    differences: NDArray[np.float64],
    weights: NDArray[np.float64],
    attributes: int,
    rule_parameters: NDArray[np.float64],
    units: NDArray[np.uint64],
    seed: int,
    replicate: int,
    indices: NDArray[np.uint64] | None,
    threads: int,
) -> NDArray[np.uint8]: ...
