"""Cost: what a study would be billed for, stage by stage and token by token, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from avowal import prices as price_tables
from avowal.contexts import Context
from avowal.design import by_attributes
from avowal.errors import InputError
from avowal.lines import Queries, Stage, Training, line_tokens
from avowal.prices import Mode, Prices

__all__ = ["Item", "Quote", "paper", "quote"]


@dataclass(frozen=True, slots=True)
class Item:
    """What one stage costs with one base model.

    Attributes
    ----------
    stage, model
        Their names; the model is the base, also where a model tuned from it is asked.
    billing
        ``training``, ``sync`` or ``batch``.
    requests
        Requests sent; for training, lines of the file.
    input_tokens, output_tokens
        Of prompts and replies; for training, of all epochs together and 0.
    price
        US dollars, exact.
    """

    stage: str
    model: str
    billing: Literal["training", "sync", "batch"]
    requests: int
    input_tokens: int
    output_tokens: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What a design costs.

    Attributes
    ----------
    items
        One for each base model and stage, in the order given.
    """

    items: tuple[Item, ...]

    @property
    def total(self) -> Decimal:
        """US dollars for everything, exact."""
        return price_tables.total(item.price for item in self.items)

    def by(self, field: Literal["stage", "model", "billing"]) -> dict[str, Decimal]:
        """Add the prices up by a field of the items, in the order in which its values occur."""
        sums: dict[str, list[Decimal]] = {}
        for item in self.items:
            sums.setdefault(getattr(item, field), []).append(item.price)
        return {value: price_tables.total(found) for value, found in sums.items()}


def paper(
    trained: Sequence[Context],
    native: Sequence[Context],
    *,
    training: int = 50,
    decisions: int = 50,
    native_decisions: int = 100,
    reports: int = 10,
    epochs: int = 3,
    learned: bool = False,
) -> tuple[Stage, ...]:
    """List the stages of the paper's study for one base model.

    Parameters
    ----------
    trained
        Contexts that are trained, two or more; the first half is one fold of the introspection training.
    native
        Contexts that are never trained, with other names.
    training
        Lines of weight training for each trained context.
    decisions, native_decisions
        Decisions asked for in each trained and in each native context; the pairs of the trained contexts are not those
        of the training.
    reports
        Reports asked for in each context of each set; they show the first pairs of the decisions.
    epochs
        Of each training job.
    learned
        Whether the two folds are also trained on learned instead of target weights, and asked once more.

    Returns
    -------
    tuple of Training or Queries
        Four jobs (six with `learned`), two sets of decisions, five sets of reports (six).

    Raises
    ------
    InputError
        For too few contexts, a name that occurs twice, or a number out of range.
    """
    known, others = tuple(trained), tuple(native)
    if len(known) < 2:
        raise InputError.at("at least 2, one for each fold", len(known), field="trained")
    by_attributes(known + others)
    half = len(known) // 2
    folds = {"first fold": known[:half], "second fold": known[half:]}

    def introspection(name: str, contexts: tuple[Context, ...]) -> Training:
        return Training(f"train introspection, {name}", "reports", contexts, 1, epochs=epochs)

    stages: list[Stage] = [
        Training("train weights", "decisions", known, training, epochs=epochs),
        Queries("decide, trained contexts", "decisions", known, decisions, training),
        Queries("decide, native contexts", "decisions", others, native_decisions),
        Queries("report, off the shelf", "reports", known, reports, training, tuned=False),
        Queries("report, weight-trained", "reports", known, reports, training),
        Queries("report, native contexts before", "reports", others, reports),
        *(introspection(name, contexts) for name, contexts in folds.items()),
        introspection("all", known),
        Queries("report, held-out fold", "reports", known, reports, training),
        Queries("report, native contexts after", "reports", others, reports),
    ]
    if learned:
        stages += [introspection(f"{name}, learned weights", contexts) for name, contexts in folds.items()]
        stages.append(Queries("report, held-out fold, learned weights", "reports", known, reports, training))
    return tuple(stages)


def quote(
    stages: Iterable[Stage],
    models: Iterable[str],
    *,
    seed: int,
    prices: Prices | None = None,
    mode: Mode = "sync",
) -> Quote:
    """Price a design: the sum over the prompts and training lines that it would send under a seed.

    Replies are assumed as :func:`avowal.lines.reply_tokens` says: one token for a choice, a JSON object for a report.
    Prompts are billed in full; OpenAI's cached rate starts at 1,024 tokens, several times what a prompt has.

    Parameters
    ----------
    stages
        With names that differ, as :func:`paper` gives them.
    models
        Base models, each of which goes through all stages.
    seed
        Of the pairs, as for :func:`avowal.design.pairs`.
    prices
        The built-in prices if None.
    mode
        How queries are sent, ``sync`` or ``batch``; training is priced the same.

    Returns
    -------
    Quote

    Raises
    ------
    InputError
        For an unknown model or a missing rate, another mode, or stages of one name.
    """
    listed, table = tuple(stages), price_tables.builtin() if prices is None else prices
    names = [stage.name for stage in listed]
    if len(set(names)) < len(names):
        raise InputError.at("stages with names that differ", sorted(names), field="stages")
    bases = tuple(models)
    counted = {
        encoding: [_Sums.of(stage, seed, encoding) for stage in listed]
        for encoding in dict.fromkeys(table.encoding(model) for model in bases)
    }
    return Quote(
        tuple(
            _item(stage, model, sums, table, mode)
            for model in bases
            for stage, sums in zip(listed, counted[table.encoding(model)], strict=True)
        )
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """A stage's lines and tokens, of one reading of its prompts, replies and training lines."""

    requests: int
    prompts: int
    replies: int
    lines: int

    @classmethod
    def of(cls, stage: Stage, seed: int, encoding: str) -> _Sums:
        table = line_tokens(stage, seed=seed, encoding=encoding)
        return cls(table.height, *(int(table[column].sum()) for column in ("prompt", "reply", "line")))


def _item(stage: Stage, model: str, sums: _Sums, prices: Prices, mode: Mode) -> Item:
    if isinstance(stage, Training):
        tokens = sums.lines * stage.epochs
        return Item(stage.name, model, "training", sums.requests, tokens, 0, prices.training(model, tokens))
    asked = f"ft:{model}:" if stage.tuned and not model.startswith("ft:") else model
    price = prices.price(asked, sums.prompts, sums.replies, mode=mode)
    return Item(stage.name, model, mode, sums.requests, sums.prompts, sums.replies, price)
