"""The page of results: built as data first, then rendered."""
