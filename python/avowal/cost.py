"""Cost: what a study would be billed for, stage by stage and token by token, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from avowal import prices as price_tables
from avowal.contexts import Context
from avowal.design import by_attributes
from avowal.display import Shown
from avowal.errors import InputError
from avowal.lines import Kind, Queries, Stage, Training, line_tokens
from avowal.prices import Mode, Prices, priced_as
from avowal.text import Table

__all__ = ["Item", "Part", "Quote", "Sums", "paper", "parts", "quote"]


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
class Quote(Shown):
    """What a design costs.

    Attributes
    ----------
    items
        One for each base model and stage, in the order given.
    """

    items: tuple[Item, ...]

    def _shown(self) -> Iterable[Table | str]:
        from avowal import layouts

        return layouts.quote(self)

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


@dataclass(frozen=True, slots=True)
class Part:
    """A stage of a study apart from its contexts: which of them it takes, by number.

    Attributes
    ----------
    name, kind, trials, first
        As for :class:`avowal.lines.Training` and :class:`avowal.lines.Queries`.
    group
        Whether its contexts are trained or native ones.
    start, stop
        The number of the first of them, and the one behind that of the last.
    epochs
        Of a training job; None for requests.
    tuned
        Whether requests go to a model tuned from the base.
    """

    name: str
    kind: Kind
    group: Literal["trained", "native"]
    start: int
    stop: int
    trials: int
    first: int = 0
    epochs: int | None = None
    tuned: bool = True

    def stage(self, contexts: Sequence[Context]) -> Stage:
        """Return the stage with its contexts.

        Parameters
        ----------
        contexts
            All of its group.

        Raises
        ------
        InputError
            For a number out of range, or contexts of one name.
        """
        chosen = tuple(contexts[self.start : self.stop])
        if self.epochs is None:
            return Queries(self.name, self.kind, chosen, self.trials, self.first, self.tuned)
        return Training(self.name, self.kind, chosen, self.trials, self.first, self.epochs)


def parts(
    trained: int,
    native: int,
    *,
    training: int = 50,
    decisions: int = 50,
    native_decisions: int = 100,
    reports: int = 10,
    epochs: int = 3,
    learned: bool = False,
) -> tuple[Part, ...]:
    """List the stages of the paper's study for one base model, apart from their contexts.

    Parameters
    ----------
    trained, native
        Numbers of contexts, two or more and one or more.
    training, decisions, native_decisions, reports, epochs, learned
        As for :func:`paper`.

    Returns
    -------
    tuple of Part
        In the order of :func:`paper`.
    """
    half = trained // 2
    folds = {"first fold": (0, half), "second fold": (half, trained)}

    def introspection(name: str, start: int = 0, stop: int = trained) -> Part:
        return Part(f"train introspection, {name}", "reports", "trained", start, stop, 1, epochs=epochs)

    def ask_trained(name: str, *, tuned: bool = True) -> Part:
        return Part(f"report, {name}", "reports", "trained", 0, trained, reports, training, tuned=tuned)

    listed = [
        Part("train weights", "decisions", "trained", 0, trained, training, epochs=epochs),
        Part("decide, trained contexts", "decisions", "trained", 0, trained, decisions, training),
        Part("decide, native contexts", "decisions", "native", 0, native, native_decisions),
        ask_trained("off the shelf", tuned=False),
        ask_trained("weight-trained"),
        Part("report, native contexts before", "reports", "native", 0, native, reports),
        *(introspection(name, *places) for name, places in folds.items()),
        introspection("all"),
        ask_trained("held-out fold"),
        Part("report, native contexts after", "reports", "native", 0, native, reports),
    ]
    if learned:
        listed += [introspection(f"{name}, learned weights", *places) for name, places in folds.items()]
        listed.append(ask_trained("held-out fold, learned weights"))
    return tuple(listed)


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
    listed = parts(
        len(known),
        len(others),
        training=training,
        decisions=decisions,
        native_decisions=native_decisions,
        reports=reports,
        epochs=epochs,
        learned=learned,
    )
    return tuple(part.stage(known if part.group == "trained" else others) for part in listed)


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
        encoding: [Sums.of(stage, seed, encoding) for stage in listed]
        for encoding in dict.fromkeys(table.encoding(model) for model in bases)
    }
    return Quote(
        tuple(
            sums.item(stage, model, table, mode)
            for model in bases
            for stage, sums in zip(listed, counted[table.encoding(model)], strict=True)
        )
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """Lines and tokens of a stage, of one reading of its prompts, replies and training lines.

    Attributes
    ----------
    requests
        Lines or requests.
    prompts, replies, lines
        Their tokens; lines count for training alone.
    """

    requests: int
    prompts: int
    replies: int
    lines: int

    @classmethod
    def of(cls, stage: Stage, seed: int, encoding: str) -> Sums:
        """Count a stage; parameters and errors as for :func:`avowal.lines.line_tokens`."""
        table = line_tokens(stage, seed=seed, encoding=encoding)
        return cls(table.height, *(int(table[column].sum()) for column in ("prompt", "reply", "line")))

    def item(self, stage: Stage | Part, model: str, prices: Prices, mode: Mode) -> Item:
        """Price the stage that was counted.

        Parameters
        ----------
        stage
            It, or the part of a study that it is.
        model
            The base model.
        prices, mode
            As for :func:`quote`.

        Raises
        ------
        InputError
            For an unknown model, a missing rate or another mode.
        """
        epochs = None if isinstance(stage, Queries) else stage.epochs
        if epochs is not None:
            tokens = self.lines * epochs
            return Item(stage.name, model, "training", self.requests, tokens, 0, prices.training(model, tokens))
        tuned = not isinstance(stage, Training) and stage.tuned
        price = prices.price(priced_as(model, tuned=tuned), self.prompts, self.replies, mode=mode)
        return Item(stage.name, model, mode, self.requests, self.prompts, self.replies, price)
