"""avowal tells whether a language model's account of itself is true."""

from avowal._core import __version__

__all__ = ["__version__"]
