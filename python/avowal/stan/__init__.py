"""Stan: the final checks in Bayesian terms, by CmdStan or by an interpreter that needs no compiler."""

from avowal.stan.accuracy import AccuracyPosterior, AccuracyPriors, accuracy_posterior
from avowal.stan.choices import ChoicePosterior, ChoicePriors, choice_posterior
from avowal.stan.diagnostics import Diagnosis
from avowal.stan.draws import Draws
from avowal.stan.engines import EngineError, Sampling, choose, sample
from avowal.stan.joint import JointPosterior, JointPriors, joint_posterior
from avowal.stan.program import Program, program

__all__ = [
    "AccuracyPosterior",
    "AccuracyPriors",
    "ChoicePosterior",
    "ChoicePriors",
    "Diagnosis",
    "Draws",
    "EngineError",
    "JointPosterior",
    "JointPriors",
    "Program",
    "Sampling",
    "accuracy_posterior",
    "choice_posterior",
    "choose",
    "joint_posterior",
    "program",
    "sample",
]
