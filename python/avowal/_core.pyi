from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "__version__",
    "bca_interval",
    "choices",
    "combination",
    "context_bootstrap",
    "count_tokens",
    "criterion",
    "cross_validate",
    "decimals",
    "decisions",
    "differences",
    "draw_pairs",
    "draw_targets",
    "dump_study",
    "fit_agents",
    "fit_coefficients",
    "hdi",
    "jackknife",
    "laplace_draws",
    "normal_quantile",
    "normals",
    "optimal_pairs",
    "pearson",
    "percentile_interval",
    "prior_slopes",
    "quantile",
    "recovery",
    "refits",
    "round_decimals",
    "simulate_study",
    "slope_contrast",
    "standardised_slope",
    "study_names",
    "t_quantile",
    "trial_bootstrap",
    "uniforms",
    "utilities",
    "without_each",
]
__version__: str

class _Fits(TypedDict):
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
) -> _Fits: ...

class _TrialBootstrap(TypedDict):
    estimates: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    undefined: NDArray[np.uint64]
    status: list[str]
    draws: list[NDArray[np.float64]]

def fit_coefficients(
    differences: NDArray[np.float64],
    choices: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    estimator: str,
    numbers: list[float],
    intercept: bool,
    threads: int,
) -> NDArray[np.float64]: ...
def trial_bootstrap(
    differences: NDArray[np.float64],
    choices: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    estimator: str,
    numbers: list[float],
    intercept: bool,
    units: NDArray[np.uint64],
    resamples: int,
    level: float,
    method_name: str,
    scaled: bool,
    seed: int,
    keep_draws: bool,
    threads: int,
) -> _TrialBootstrap: ...
def refits(
    differences: NDArray[np.float64],
    choices: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    estimator: str,
    numbers: list[float],
    intercept: bool,
    counts: NDArray[np.float64],
    resamples: int,
    threads: int,
) -> NDArray[np.float64]: ...
def laplace_draws(
    slopes: NDArray[np.float64],
    covariance: NDArray[np.float64],
    attributes: int,
    draws: int,
    units: NDArray[np.uint64],
    seed: int,
    threads: int,
) -> NDArray[np.float64]: ...
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
    out: NDArray[np.float64],
) -> None: ...
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
def recovery(
    mins: NDArray[np.float64],
    maxs: NDArray[np.float64],
    attributes: int,
    rule_parameters: NDArray[np.float64],
    agents: int,
    trials: int,
    estimator: str,
    numbers: list[float],
    intercept: bool,
    seed: int,
    first: int,
    replicates: int,
    threads: int,
) -> NDArray[np.float64]: ...
def decisions(
    mins: NDArray[np.float64],
    maxs: NDArray[np.float64],
    attributes: int,
    weights: NDArray[np.float64],
    rule_parameters: NDArray[np.float64],
    units: NDArray[np.uint64],
    seed: int,
    replicate: int,
    threads: int,
    pairs: NDArray[np.float64],
    chosen: NDArray[np.uint8],
) -> None: ...

_Floats = NDArray[np.float64]
_Labels = NDArray[np.int64]
_Ends = tuple[float, float]
_Regression = tuple[float, float, float, float, float]
_Fisher = tuple[float, float, float, float, float]

def pearson(weights: _Floats, reports: _Floats, groups: _Labels) -> tuple[float | None, str]: ...
def standardised_slope(weights_z: _Floats, reports_z: _Floats, level: float) -> tuple[_Regression | None, str]: ...
def slope_contrast(
    weights_z: _Floats, reports_z: _Floats, model: _Labels, after: NDArray[np.uint8], level: float
) -> tuple[_Regression | None, list[float], str]: ...
def context_bootstrap(
    weights: _Floats,
    reports: _Floats,
    contexts: _Labels,
    groups: _Labels,
    replicates: int,
    seed: int,
    level: float,
    threads: int,
) -> tuple[float | None, str, _Floats, int, int, tuple[_Ends | None, str], tuple[_Ends | None, str]]: ...
def jackknife(
    weights: _Floats, reports: _Floats, contexts: _Labels, groups: _Labels, lengths: list[int], level: float
) -> tuple[list[tuple[int, int, float | None, _Fisher | None, str]], list[float | None]]: ...
def combination(
    weights: _Floats,
    reports: _Floats,
    contexts: _Labels,
    groups: _Labels,
    lengths: list[int],
    coefficients: list[float],
    level: float,
) -> tuple[float | None, tuple[float, float, float, float, float, float, float] | None, str]: ...
def without_each(weights: _Floats, reports: _Floats, contexts: _Labels, groups: _Labels) -> _Floats: ...
def quantile(draws: _Floats, probabilities: list[float]) -> list[float]: ...
def percentile_interval(draws: _Floats, level: float) -> _Ends: ...
def bca_interval(draws: _Floats, estimate: float, jackknife: _Floats, level: float) -> tuple[_Ends | None, str]: ...
def hdi(draws: _Floats, level: float) -> _Ends: ...
def t_quantile(p: float, df: float) -> float: ...
def normal_quantile(p: float) -> float: ...
def count_tokens(
    buffer: NDArray[np.uint8], offsets: NDArray[np.uint64], encoding: str, threads: int
) -> NDArray[np.uint64]: ...
def study_names() -> tuple[list[str], list[str], list[str]]: ...
def simulate_study(
    settings: _Floats,
    models: int,
    seed: int,
    first: int,
    count: int,
    level: float,
    threads: int,
    trained: _Floats | None,
    native: _Floats | None,
) -> _Floats: ...
def dump_study(
    settings: _Floats, model: int, seed: int, replicate: int, trained: _Floats | None, native: _Floats | None
) -> dict[str, _Floats]: ...

_Prior = tuple[float, float, float, int]

def optimal_pairs(
    mins: _Floats,
    maxs: _Floats,
    attributes: int,
    units: NDArray[np.uint64],
    trials: int,
    prior: _Prior,
    search: tuple[float, float, int],
    seed: int,
    threads: int,
) -> _Floats: ...
def prior_slopes(units: NDArray[np.uint64], attributes: int, prior: _Prior, seed: int) -> _Floats: ...
def criterion(differences: _Floats, trials: int, attributes: int, slopes: _Floats, precision: float) -> _Floats: ...
