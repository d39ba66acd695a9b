"""Folders of another group's rerun: what can be computed is, and every null says why."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from avowal.analysis.document import document
from avowal.analysis.material import LABELS
from avowal.analysis.material import SETS as ALL
from avowal.analysis.printed import printed
from avowal.errors import InputError
from avowal.published.replicate import Settings, replicate

SETS = dict(list(ALL.items())[:5])

GPT, MINI = "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"
REPORTS = {
    "off_the_shelf": "weight_reports",
    "weight_trained": "instilled_weight_reports",
    "introspection_first": "itrained_first_50_of_100_50ex_weight_reports",
    "introspection_last": "itrained_last_50_of_100_50ex_weight_reports",
    "native_before": "instilled_latent_weight_reports",
    "native_after": "itrained_all_100_50ex_latent_weight_reports",
}
CHOICES = {"learned": "instilled_selections", "native": "instilled_latent_selections"}
WEIGHTS = {"learned": "regression_results", "native": "latent_regression_results"}
OTHER = "no target weights for these contexts, or none that vary"
QUICK = {"resamples": 20, "draws": 20}
HALF = 4

Rows = list[dict[str, str]]


class Rerun:
    """Files of a small study, cut from the authors': 8 trained and 8 native contexts."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, Rows] = {}
        self.raw: dict[str, bytes] = {}
        targets = rows_of(folder / "instilled_weights.csv")
        names = [row["scenario"] for row in targets]
        # Either half of the authors' hundred, so that both folds keep contexts.
        kept = names[:HALF] + names[50 : 50 + HALF] + names[100 : 100 + 2 * HALF]
        self.trained, self.native = kept[: 2 * HALF], kept[2 * HALF :]
        for path in sorted(folder.glob("*.csv")):
            if path.name != "roles.csv":
                self.files[path.name] = [row for row in rows_of(path) if row["scenario"] in kept]

    def of(self, model: str, ending: str) -> Rows:
        """Return the rows of one file."""
        return self.files[f"{model}_{ending}.csv"]

    def drop(self, *endings: str) -> None:
        """Take files away."""
        self.files = {name: rows for name, rows in self.files.items() if not name.endswith(endings)}

    def rename(self, old: str, new: str) -> None:
        """Give a model another name."""
        self.files = {name.replace(f"{old}_", f"{new}_"): rows for name, rows in self.files.items()}

    def keep(self, wanted: Callable[[str, dict[str, str]], bool]) -> None:
        """Keep the rows that are wanted."""
        self.files = {name: [row for row in rows if wanted(name, row)] for name, rows in self.files.items()}

    def cut_attributes(self, numbers: str) -> None:
        """Take away the columns of some attributes, by their numbers."""
        for rows in self.files.values():
            for row in rows:
                for column in list(row):
                    if column.removesuffix("_min").removesuffix("_max")[-1] in numbers:
                        del row[column]

    def write(self, folder: Path) -> Path:
        """Write every file into a folder."""
        for name, rows in self.files.items():
            text = io.StringIO()
            writer = csv.DictWriter(text, self.header(name), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            (folder / name).write_text(text.getvalue(), encoding="utf-8")
        for name, content in self.raw.items():
            (folder / name).write_bytes(content)
        return folder

    def header(self, name: str) -> list[str]:
        """Return the columns of a file."""
        return list(self.files[name][0])


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(published: Path) -> Rerun:
    return Rerun(published)


@pytest.fixture
def rerun(whole: Rerun) -> Rerun:
    copy = object.__new__(Rerun)
    copy.files = {name: [dict(row) for row in rows] for name, rows in whole.files.items()}
    copy.raw, copy.trained, copy.native = {}, whole.trained, whole.native
    return copy


def nulls(value: Any, path: str = "") -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from nulls(each, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from nulls(each, f"{path}/{place}")


def computed(folder: Path, **settings: Any) -> dict[str, Any]:
    """Replicate, print and document a folder; every null has its reason, and every reason its null."""
    result = replicate(str(folder), Settings(**{**QUICK, **settings}))
    console = Console(file=io.StringIO(), width=100)
    for part in printed(result):
        console.print(part, markup=False)
    found = json.loads(json.dumps(document(result), allow_nan=False))
    assert sorted(nulls({key: each for key, each in found.items() if key != "reasons"})) == sorted(found["reasons"])
    assert all(reason.strip() and reason != "ok" for reason in found["reasons"].values())
    for model in found["models"].values():
        for each in model["accuracy"].values():
            if each["replies"] is not None:
                assert each["replies"] + each["replies_lost"] == each["replies_planned"]
    return found


def accuracies(found: dict[str, Any], model: str) -> dict[str, float | None]:
    return {name: each["r"] for name, each in found["models"][model]["accuracy"].items()}


def test_a_small_rerun_under_other_names(rerun: Rerun, tmp_path: Path) -> None:
    rerun.rename(GPT, "org~model:1")
    rerun.rename(MINI, "Ünïcode [x]")
    found = computed(rerun.write(tmp_path))
    assert list(found["models"]) == ["org~model:1", "Ünïcode [x]"]
    for model in found["models"]:
        assert None not in accuracies(found, model).values()
    assert "/models/org~0model:1/accuracy/off_the_shelf/folds" in found["reasons"]
    assert found["models"]["org~model:1"]["choices"]["learned"]["contexts"] == 2 * HALF


def test_one_model_alone_has_no_other_to_cross_with(rerun: Rerun, tmp_path: Path) -> None:
    rerun.files = {name: rows for name, rows in rerun.files.items() if not name.startswith(MINI)}
    found = computed(rerun.write(tmp_path))
    assert None not in accuracies(found, GPT).values()
    for each in found["models"][GPT]["accuracy"].values():
        assert each["crossed_r"] is None
    assert set(map(tuple, found["differences"].values())) == {()}
    assert found["reasons"][f"/models/{GPT}/accuracy/native_after/crossed_r"] == "the folder holds one model"
    assert list(found["gain"]["native"]["by_model"]) == [GPT]


def test_three_models_are_crossed_and_compared_in_pairs(rerun: Rerun, tmp_path: Path) -> None:
    for name in [name for name in rerun.files if name.startswith(GPT)]:
        rerun.files[name.replace(GPT, "third")] = rerun.files[name]
    found = computed(rerun.write(tmp_path))
    assert list(found["models"]) == [GPT, MINI, "third"]
    assert [each["models"] for each in found["differences"]["native_after"]] == [
        [GPT, MINI],
        [GPT, "third"],
        [MINI, "third"],
    ]
    for name, each in found["models"]["third"]["accuracy"].items():
        # Draws behind the ceiling are each model's own.
        drawn = {"ceiling": 0, "corrected": 0}
        assert each | drawn == found["models"][GPT]["accuracy"][name] | drawn
    twin = found["differences"]["native_after"][1]
    assert twin["estimate"] == 0
    assert list(found["gain"]["instilled"]["by_model"]) == [GPT, MINI, "third"]


def test_three_attributes(rerun: Rerun, tmp_path: Path) -> None:
    for rows in rerun.files.values():
        for row in rows:
            for column in [
                c for c in row if any(c.removesuffix("_min").removesuffix("_max").endswith(n) for n in "45")
            ]:
                del row[column]
    found = computed(rerun.write(tmp_path))
    for model in (GPT, MINI):
        assert None not in accuracies(found, model).values()


def test_two_attributes_have_no_correlation_within_a_context(rerun: Rerun, tmp_path: Path) -> None:
    for rows in rerun.files.values():
        for row in rows:
            for column in [
                c for c in row if any(c.removesuffix("_min").removesuffix("_max").endswith(n) for n in "345")
            ]:
                del row[column]
    found = computed(rerun.write(tmp_path))
    assert None not in accuracies(found, GPT).values()
    assert found["models"][GPT]["accuracy"]["native_after"]["r_within"] is None


@pytest.mark.parametrize("content", [b"", b"header"])
@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_report_file_means_that_no_reply_was_valid(
    rerun: Rerun, tmp_path: Path, name: str, content: bytes
) -> None:
    file = f"{GPT}_{REPORTS[name]}.csv"
    header = ",".join(rerun.header(file)).encode() + b"\n"
    del rerun.files[file]
    rerun.raw[file] = header if content else b""
    found = computed(rerun.write(tmp_path))
    fold = name.startswith("introspection")
    each = found["models"][GPT]["accuracy"]["introspection_trained" if fold else name]
    if fold:
        assert each["r"] is not None
        assert each["folds"][name]["r"] is None
        assert each["folds"][name]["replies_planned"] == 10 * HALF
        assert (each["contexts"], each["contexts_lost"]) == (HALF, HALF)
    else:
        assert each["r"] is each["slope"] is each["interval"] is each["ceiling"] is None
        assert (each["replies"], each["replies_planned"], each["contexts_lost"]) == (0, 20 * HALF, 2 * HALF)
        assert found["reasons"][f"/models/{GPT}/accuracy/{name}/r"] == "too few entries"
        low, high = each["bounds"]
        assert (low, high) == pytest.approx((-1, 1), abs=1e-3)
    others = {key: r for key, r in accuracies(found, GPT).items() if key not in (name, "introspection_trained")}
    assert None not in others.values()
    assert any(
        line.startswith(f"{GPT}, {LABELS['introspection_trained' if fold else name]}:") for line in found["warnings"]
    )


def test_both_folds_empty(rerun: Rerun, tmp_path: Path) -> None:
    for name in ("introspection_first", "introspection_last"):
        del rerun.files[f"{GPT}_{REPORTS[name]}.csv"]
        rerun.raw[f"{GPT}_{REPORTS[name]}.csv"] = b""
    found = computed(rerun.write(tmp_path))
    assert accuracies(found, GPT)["introspection_trained"] is None
    assert list(found["gain"]["instilled"]["by_model"]) == [MINI]


ENDINGS = [*REPORTS.values(), *CHOICES.values(), *WEIGHTS.values()]


@pytest.mark.parametrize(
    ("ending", "weights"),
    [
        *((each, "fitted") for each in ENDINGS),
        *((each, "published") for each in (*CHOICES.values(), *WEIGHTS.values())),
    ],
)
def test_each_file_may_be_missing(rerun: Rerun, tmp_path: Path, ending: str, weights: str) -> None:
    del rerun.files[f"{GPT}_{ending}.csv"]
    found = computed(rerun.write(tmp_path), weights=weights)
    assert None not in accuracies(found, MINI).values()
    gone = {name for name, r in accuracies(found, GPT).items() if r is None}
    group = next((g for g in CHOICES if ending == (CHOICES if weights == "fitted" else WEIGHTS)[g]), None)
    expected = {name for name, (of, _) in SETS.items() if of == group}
    expected |= {name for name, each in REPORTS.items() if each == ending and name in SETS}
    assert gone == expected
    if expected:
        reason = found["reasons"][f"/models/{GPT}/accuracy/{min(expected)}/r"]
        assert reason.startswith(f"no file {GPT}_")
    if "first" in ending or "last" in ending:
        fold = next(name for name, each in REPORTS.items() if each == ending)
        each = found["models"][GPT]["accuracy"]["introspection_trained"]
        assert each["folds"][fold] is None
        assert found["reasons"][f"/models/{GPT}/accuracy/introspection_trained/folds/{fold}"].startswith("no file")
        assert (each["contexts"], each["contexts_lost"], each["replies_planned"]) == (HALF, 0, 10 * HALF)


def test_without_targets_only_what_needs_them_is_missing(rerun: Rerun, tmp_path: Path) -> None:
    del rerun.files["instilled_weights.csv"]
    found = computed(rerun.write(tmp_path))
    for model in (GPT, MINI):
        assert None not in accuracies(found, model).values()
        assert found["models"][model]["agreement"] is found["models"][model]["learned_vs_target"]["r"] is None
        for path in (f"/models/{model}/agreement", f"/models/{model}/accuracy/off_the_shelf/r_target"):
            assert found["reasons"][path] == "no file instilled_weights.csv"


def test_targets_of_other_contexts_give_no_agreement(rerun: Rerun, tmp_path: Path) -> None:
    rows = rerun.files["instilled_weights.csv"]
    rerun.files["instilled_weights.csv"] = [row for row in rows if row["scenario"] in rerun.native]
    found = computed(rerun.write(tmp_path))
    assert found["models"][GPT]["agreement"] is None
    assert found["reasons"][f"/models/{GPT}/agreement"] == OTHER
    assert found["reasons"][f"/models/{GPT}/learned_vs_target/r"] == OTHER


def test_without_scenarios_nothing_can_be_read(rerun: Rerun, tmp_path: Path) -> None:
    del rerun.files["scenarios.csv"]
    with pytest.raises(InputError, match=r"scenarios\.csv"):
        computed(rerun.write(tmp_path))


@pytest.mark.parametrize("weights", ["fitted", "published"])
def test_weights_and_reports_without_choices(rerun: Rerun, tmp_path: Path, weights: str) -> None:
    rerun.drop("selections.csv")
    found = computed(rerun.write(tmp_path), weights=weights)
    for model in (GPT, MINI):
        known = accuracies(found, model)
        assert (None in known.values()) == (weights == "fitted")
        assert found["models"][model]["agreement"] is None
        assert found["models"][model]["accuracy"]["native_after"]["ceiling"] is None
    if weights == "published":
        assert found["models"][GPT]["learned_vs_target"]["r"] > 0.5


def test_weights_alone(rerun: Rerun, tmp_path: Path) -> None:
    rerun.drop("selections.csv", "reports.csv", "instilled_weights.csv")
    found = computed(rerun.write(tmp_path), weights="published")
    assert set(accuracies(found, GPT).values()) == {None}
    assert found["gain"]["native"]["estimate"] is None
    assert found["account"][GPT]["planned"] == 0


def test_more_replies_than_planned_count_with_their_rows(rerun: Rerun, tmp_path: Path) -> None:
    found = computed(rerun.write(tmp_path), replies=2)
    each = found["models"][MINI]["accuracy"]["weight_trained"]
    rows = rerun.of(MINI, REPORTS["weight_trained"])
    counts = [sum(row["scenario"] == name for row in rows) for name in rerun.trained]
    assert each["replies"] == len(rows)
    assert each["replies_planned"] == sum(max(2, n) for n in counts)
    assert each["replies_lost"] == sum(max(0, 2 - n) for n in counts)


def test_constant_choices_lose_their_contexts_and_no_others(rerun: Rerun, tmp_path: Path) -> None:
    flat = rerun.trained[:3]
    for row in rerun.of(GPT, CHOICES["learned"]):
        if row["scenario"] in flat:
            row["selection"] = "B"
    found = computed(rerun.write(tmp_path))
    assert found["models"][GPT]["choices"]["learned"]["statuses"]["no variation"] == 3
    each = found["models"][GPT]["accuracy"]["weight_trained"]
    assert each["contexts_lost_by_reason"] == {"no estimated weights": 3}
    assert (each["contexts"], each["replies_planned"]) == (2 * HALF - 3, 20 * HALF)
    assert found["models"][GPT]["learned_vs_target"]["r"] is not None
    assert found["models"][MINI]["accuracy"]["weight_trained"]["contexts_lost"] <= 2


def test_constant_choices_everywhere_leave_no_weights(rerun: Rerun, tmp_path: Path) -> None:
    for row in rerun.of(GPT, CHOICES["native"]):
        row["selection"] = "A"
    found = computed(rerun.write(tmp_path))
    known = accuracies(found, GPT)
    assert [name for name, r in known.items() if r is None] == ["native_before", "native_after"]
    each = found["models"][GPT]["accuracy"]["native_after"]
    assert each["contexts_lost_by_reason"] == {"no estimated weights": 2 * HALF}
    assert found["reasons"][f"/models/{GPT}/accuracy/native_after/r"] == "too few entries"
    assert list(found["gain"]["native"]["by_model"]) == [MINI]


def test_choices_in_fewer_contexts_than_reports_lose_the_others(rerun: Rerun, tmp_path: Path) -> None:
    gone = [rerun.trained[0], rerun.trained[HALF]]
    file = f"{GPT}_{CHOICES['learned']}.csv"
    rerun.files[file] = [row for row in rerun.files[file] if row["scenario"] not in gone]
    found = computed(rerun.write(tmp_path))
    for name in ("off_the_shelf", "weight_trained", "introspection_trained"):
        each = found["models"][GPT]["accuracy"][name]
        assert each["contexts_lost_by_reason"] == {"no estimated weights": 2}, name
        assert (each["contexts"], each["replies_planned"]) == (2 * HALF - 2, 20 * HALF)
    folds = found["models"][GPT]["accuracy"]["introspection_trained"]["folds"]
    assert [(fold["contexts"], fold["contexts_lost"]) for fold in folds.values()] == [(HALF - 1, 1), (HALF - 1, 1)]


def test_a_fold_answers_for_its_own_contexts_alone(rerun: Rerun, tmp_path: Path) -> None:
    # Without choices in some contexts of the second half, the middle of the rest lies in the first.
    file = f"{GPT}_{CHOICES['learned']}.csv"
    gone = rerun.trained[HALF : HALF + 3]
    rerun.files[file] = [row for row in rerun.files[file] if row["scenario"] not in gone]
    rerun.keep(lambda name, row: not (name.startswith(GPT) and "reports" in name and row["scenario"] in gone))
    folds = computed(rerun.write(tmp_path))["models"][GPT]["accuracy"]["introspection_trained"]["folds"]
    assert [(fold["contexts"], fold["contexts_lost"]) for fold in folds.values()] == [(HALF - 3, 0), (HALF, 0)]


@pytest.mark.parametrize("value", ["0", "33.3"])
def test_equal_reports_are_no_variation(rerun: Rerun, tmp_path: Path, value: str) -> None:
    for row in rerun.of(MINI, REPORTS["native_before"]):
        row.update({f"report_attr{i}": value for i in range(1, 6)})
    found = computed(rerun.write(tmp_path))
    each = found["models"][MINI]["accuracy"]["native_before"]
    assert each["r"] is each["slope"] is each["cluster_interval"] is None
    assert found["reasons"][f"/models/{MINI}/accuracy/native_before/slope"] == "no variation"
    assert list(found["gain"]["native"]["by_model"]) == [GPT]
    assert found["differences"]["native_before"] == []


@pytest.mark.parametrize("contexts", [1, 2, 3])
def test_a_few_contexts(rerun: Rerun, tmp_path: Path, contexts: int) -> None:
    kept = [*rerun.trained[:contexts], *rerun.native[:contexts]]
    rerun.keep(lambda name, row: row["scenario"] in kept)
    rerun.files = {name: rows for name, rows in rerun.files.items() if rows}
    found = computed(rerun.write(tmp_path))
    each = found["models"][GPT]["accuracy"]["native_after"]
    assert each["r"] is not None
    assert (each["cluster_interval"] is None) == (contexts < 3)


def test_two_reporting_models_in_one_file_are_named_with_the_file(rerun: Rerun, tmp_path: Path) -> None:
    rerun.of(GPT, REPORTS["native_after"])[1]["explaining_model"] = "somebody else"
    with pytest.raises(InputError, match=rf"{REPORTS['native_after']}\.csv, line 3, explaining_model"):
        computed(rerun.write(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "other"}, "weights: expected fitted or published"),
        ({"replies": 0}, "replies: expected at least 1"),
        ({"draws": 0}, "draws: expected at least 1"),
        ({"resamples": 0}, "replicates"),
        ({"level": 1.0}, "level"),
        ({"seed": -1}, "seed"),
        ({"threshold": float("nan")}, "threshold"),
    ],
)
def test_bad_settings_are_named(rerun: Rerun, tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        computed(rerun.write(tmp_path), **change)


def test_steps_are_counted_to_the_end(rerun: Rerun, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    replicate(str(rerun.write(tmp_path)), Settings(**QUICK), progress=lambda done, of: steps.append((done, of)))
    assert steps == [(i + 1, 14) for i in range(14)]
