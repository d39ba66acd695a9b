"""Drawings of the page, by hand: the study as it was run, and one context."""
