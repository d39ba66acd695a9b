"""Replies: from a model's raw text to the rows of the tables of choices and reports; pure functions.

A choice is A or B and nothing else; a report is a JSON object with each attribute's name once and a number beside it.
All else is a failure with its type. Lenient reading, where asked for, mends what can be mended in one way only and
says what it mended.

:mod:`~avowal.replies.read` reads one reply, :mod:`~avowal.replies.keys` settles which attribute a misspelt key names,
:mod:`~avowal.replies.repair` mends texts and numbers, :mod:`~avowal.replies.frames` reads whole tables.
"""

from avowal.replies.frames import ReadChoices, ReadReports, choices, reports
from avowal.replies.read import Choice, Report, choice, report

__all__ = ["Choice", "ReadChoices", "ReadReports", "Report", "choice", "choices", "report", "reports"]
