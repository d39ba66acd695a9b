"""Studies: what a folder with a ``study.toml`` asks for, stage by stage, and what it will cost.

Reading order: :mod:`~avowal.study.config` (the file; :mod:`~avowal.study.rules` says what its fields may hold),
:mod:`~avowal.study.stages` (what is sent, in which order), :mod:`~avowal.study.plan` (prices, power, shutdowns).
"""

from avowal.study.config import StudyFile, read
from avowal.study.plan import Plan, plan
from avowal.study.stages import Stage, stages
from avowal.study.template import TEMPLATES, init

__all__ = ["TEMPLATES", "Plan", "Stage", "StudyFile", "init", "plan", "read", "stages"]
