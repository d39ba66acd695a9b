"""A folder of the authors' files as the subjects of a check."""

from __future__ import annotations

import polars as pl

from avowal.analysis.material import SETS
from avowal.published.read import Published
from avowal.stan.check import Subject


def subjects(data: Published) -> list[Subject]:
    """Put a folder's tables together by model.

    Parameters
    ----------
    data
        What was read from it.

    Returns
    -------
    list of Subject
        One for each model with choices; files without rows are left out, and the two folds of one set are put together.
    """
    found = []
    for model in data.models:
        choices = {group: table for group, table in model.choices.items() if len(table)}
        reports = {}
        for name, (group, files) in SETS.items():
            tables = [model.reports[file] for file in files if file in model.reports]
            if group in choices and any(len(table) for table in tables):
                asked = set(choices[group]["context"].to_list())
                reports[name] = group, pl.concat(tables).filter(pl.col("context").is_in(asked))
        if choices:
            found.append(Subject(model.name, choices, reports))
    return found
