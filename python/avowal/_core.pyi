from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

__version__: str

class Fits(TypedDict):
    status: NDArray[np.uint8]
    iterations: NDArray[np.uint64]
    slopes: NDArray[np.float64]
    scaled: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    centred_intercepts: NDArray[np.float64]
    centred_intercept_errors: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    log_posterior: NDArray[np.float64]
    gradient_norm: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    accuracy_slopes_only: NDArray[np.float64]

def fit_agents(
    differences: NDArray[np.float64],
    choices: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    estimator: str,
    numbers: list[float],
    intercept: bool,
    threads: int,
) -> Fits: ...
def cross_validate(
    differences: NDArray[np.float64],
    choices: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    estimator: str,
    numbers: list[float],
    intercept: bool,
    folds: int,
    threads: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]: ...
