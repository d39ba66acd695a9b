"""Drafts: new contexts in a field of life, written by a model, checked, and paid for once.

Read :mod:`~avowal.draft.prompts` (what is asked), :mod:`~avowal.draft.log` (what is on disk before it is read),
:mod:`~avowal.draft.sift` (which of what came back is good, and what is wrong with the rest) and
:mod:`~avowal.draft.run` (the order of it all).
"""

from avowal.draft.prompts import Task
from avowal.draft.run import Draft, Plan, draft, plan
from avowal.draft.sift import Rejected

__all__ = ["Draft", "Plan", "Rejected", "Task", "draft", "plan"]
