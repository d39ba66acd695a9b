"""The world: how much the attributes of options vary, which any model knows before it is trained."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from avowal.contexts import Context
from avowal.simulated.draws import Floats
from avowal.simulated.reading import Key


class World:
    """Contexts that models know something about.

    Parameters
    ----------
    contexts
        Found again by their attributes' names and by their question, wherever these stand in a prompt.
    """

    def __init__(self, contexts: Iterable[Context]) -> None:
        self._by_names: dict[tuple[str, ...], list[Context]] = {}
        self._by_question: dict[str, Context] = {}
        for context in contexts:
            names = tuple(sorted(attribute.name for attribute in context.attributes))
            self._by_names.setdefault(names, []).append(context)
            self._by_question[context.question] = context

    def known(self, key: Key) -> Floats | None:
        """Return the widths of a context's attributes, by name in alphabetical order; None for one that isn't known."""
        for context in self._by_names.get(key.names, ()):
            if context.question in key.prompt:
                return np.array([each.max - each.min for each in sorted(context.attributes, key=lambda x: x.name)])
        return None

    def names(self, prompt: str) -> tuple[str, ...]:
        """Return the attributes of the context whose question ends a prompt, in its order; none if there is none."""
        for question, context in self._by_question.items():
            if prompt.endswith(question):
                return tuple(attribute.name for attribute in context.attributes)
        return ()

    def widths(self, key: Key, options: Floats) -> Floats:
        """Return how much each attribute varies.

        Parameters
        ----------
        key
            The context.
        options
            Values seen of it, shape (pairs, 2, attributes).

        Returns
        -------
        ndarray, shape (attributes,)
            Of a known context its ranges; else the spread of the values seen, stretched by (n + 1) / (n - 1) as for n
            uniform values, and 1 where they don't vary.
        """
        known = self.known(key)
        if known is not None:
            return known
        values = options.reshape(-1, len(key.names))
        count = len(values)
        spread = (values.max(axis=0) - values.min(axis=0)) * (count + 1) / max(count - 1, 1)
        return np.where(spread > 0, spread, 1.0)
