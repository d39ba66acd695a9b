"""Studies: what a folder with a ``study.toml`` asks for, what it will cost, how it is carried out, and what came of it.

Reading order: :mod:`~avowal.study.config` (the file; :mod:`~avowal.study.rules` says what its fields may hold),
:mod:`~avowal.study.stages` (what is sent, in which order), :mod:`~avowal.study.plan` (prices, power, shutdowns);
:mod:`~avowal.study.store` (the database), :mod:`~avowal.study.run` (stage after stage), :mod:`~avowal.study.workshop`
(one stage), :mod:`~avowal.study.asking`, :mod:`~avowal.study.batching` and :mod:`~avowal.study.training_jobs` (what it
sends); :mod:`~avowal.study.collect`, :mod:`~avowal.study.status`, :mod:`~avowal.study.analysis` and
:mod:`~avowal.study.export` (what came of it).
"""

from avowal.study.config import StudyFile, read
from avowal.study.plan import Plan, plan
from avowal.study.run import Options, Outcome, run
from avowal.study.stages import Stage, stages
from avowal.study.template import TEMPLATES, init

__all__ = ["TEMPLATES", "Options", "Outcome", "Plan", "Stage", "StudyFile", "init", "plan", "read", "run", "stages"]
