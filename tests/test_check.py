"""The final check puts methods side by side, warns where they disagree, and prints what spoils a number beside it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from filled_study import BASE, fill, folder
from stan_worlds import study

from avowal.analysis import Material, ModelMaterial
from avowal.cli import app
from avowal.errors import InputError
from avowal.stan import Sampling
from avowal.stan.check import check
from avowal.stan.checked import Check
from avowal.stan.compared import BOOTSTRAP, COMPARED, JACKKNIFE, MAP, STAN, disagreements
from avowal.stan.joint import EXPECTED
from avowal.stan.printed import printed
from avowal.study.analysis import material
from avowal.study.place import place
from avowal.study.status import look

pytest.importorskip("stanli")
SHORT = Sampling(engine="stanli", warmup=300, draws=400)


@pytest.fixture(scope="module")
def small() -> Material:
    known, chosen, before = study(count=10, trials=30, rho=0.2)
    after = study(count=10, trials=30, rho=0.95)[2]
    half = [pl.col("context").is_in([f"c{i}" for i in part]) for part in (range(5, 10), range(5))]
    reports = {
        "weight_trained": before,
        "introspection_first": after.filter(half[0]),
        "introspection_last": after.filter(half[1]),
    }
    missing = {"native": "'native' has not begun"}
    model = ModelMaterial("m", {"learned": chosen}, reports, {}, missing)
    return Material("study", "small", known, None, (model,))


@pytest.fixture(scope="module")
def found(small: Material) -> Check:
    return check(small, how=SHORT, sensitivity=True, resamples=500)


def test_every_method_stands_beside_the_others(found: Check) -> None:
    assert found.accuracies.columns == list(COMPARED)
    for name in ("weight_trained", "introspection_trained"):
        rows = found.accuracies.filter(quantity=name)
        assert rows["method"].to_list() == [MAP, JACKKNIFE, BOOTSTRAP, STAN]
        assert rows["difference"].abs().max() < 0.1
        assert (rows["low"] <= rows["estimate"]).all()
    assert found.gains["method"].to_list() == [MAP, JACKKNIFE, STAN]
    assert found.weights.row(0, named=True)["r"] > 0.99
    both = "weight_trained → introspection_trained"
    assert found.joint["set"].to_list() == 2 * ["weight_trained", "introspection_trained", both]
    assert found.predictive.filter(statistic="share of A")["p"].item() > 0.001


def test_accuracies_under_other_priors_stand_beside(found: Check) -> None:
    rows = found.sensitivity.filter(set="introspection_trained")
    assert rows["slope_sd"].to_list() == [0.5, 1.0, 2.0]
    (stan,) = found.accuracies.filter(quantity="introspection_trained", method=STAN)["estimate"]
    assert rows["accuracy"][1] == pytest.approx(stan, abs=0.02)
    assert rows["mean_abs_slope"].is_sorted()


def test_what_is_missing_has_its_reason(found: Check) -> None:
    assert found.missing == {
        "m": {
            "off_the_shelf": "no reports",
            "native_before": "'native' has not begun",
            "native_after": "'native' has not begun",
        }
    }
    assert "Not computed for m: native before: 'native' has not begun" in printed(found)


def test_the_engine_is_named_and_the_page_is_complete(found: Check) -> None:
    parts = printed(found)
    assert found.engine in str(parts[0])
    json.dumps(found.to_dict(), allow_nan=False)


def test_disagreement_is_told() -> None:
    def rows(*ends: tuple[str, float, float]) -> pl.DataFrame:
        return pl.DataFrame(
            [("m", "set", method, 0.1, low, high, None, "ok", []) for method, low, high in ends],
            schema=COMPARED,
            orient="row",
        )

    assert disagreements(rows((MAP, 0.01, 0.2), (STAN, 0.02, 0.2))) == []
    lines = disagreements(rows((MAP, 0.01, 0.2), (BOOTSTRAP, -0.01, 0.2), (STAN, 0.02, 0.2)))
    assert lines == [
        "m, set: the conclusion depends on the method (positive by MAP, Stan; not told from zero by bootstrap)"
    ]


def test_a_set_that_cannot_be_estimated_is_a_status_and_a_problem(small: Material) -> None:
    (model,) = small.models
    said = model.reports["weight_trained"]
    one = replace(model, reports={"weight_trained": said.filter(pl.col("context") == "c0").head(1)})
    result = check(replace(small, models=(one,)), how=SHORT, resamples=100)
    assert any("too few reports" in line for line in result.problems)
    assert len(result.joint) == 0
    assert len(result.gains) == 0


def test_reports_on_contexts_without_choices_do_not_enter(small: Material) -> None:
    """A study half way may have reports on contexts that no decision has come from yet."""
    (model,) = small.models
    fewer = replace(model, choices={"learned": model.choices["learned"].filter(pl.col("context") != "c0")})
    result = check(replace(small, models=(fewer,)), how=SHORT, resamples=100)
    assert result.weights["agents"].to_list() == [9]
    assert len(result.joint) == 6


def test_accuracies_that_have_no_interval_have_a_status(small: Material) -> None:
    """Reports on one context: nothing can be told by contexts, and a strict command hears of it."""
    (model,) = small.models
    said = model.reports["weight_trained"].filter(pl.col("context") == "c0")
    one = replace(model, reports={"weight_trained": said})
    found = check(replace(small, models=(one,)), how=SHORT, joint=False, resamples=100)
    rows = found.accuracies.filter(pl.col("method").is_in([JACKKNIFE, BOOTSTRAP]))
    assert rows["low"].null_count() == 2
    assert "ok" not in rows["status"].to_list()
    assert any("jackknife" in line for line in found.problems)
    assert found.joint is None


def test_weights_that_nothing_can_scale_have_no_correlation(small: Material) -> None:
    (model,) = small.models
    few = model.choices["learned"].filter(pl.col("trial") < 2)
    found = check(replace(small, models=(replace(model, choices={"learned": few}),)), how=SHORT, joint=False)
    assert found.weights["r"].to_list() == [None]
    json.dumps(found.to_dict(), allow_nan=False)
    assert "No conclusion depends on the method." not in printed(found)


def test_a_group_that_nobody_has_answered_yet_is_missing(small: Material) -> None:
    (model,) = small.models
    none = model.choices["learned"].with_columns(pl.lit(None, pl.String).alias("choice"))
    both = replace(model, choices={**model.choices, "native": none}, missing={})
    found = check(replace(small, models=(both,)), how=SHORT, joint=False, resamples=100)
    assert found.missing["m"]["native_before"] == "no valid choice"
    assert found.weights["group"].to_list() == ["learned"]


def test_reports_are_standardised_within_each_fold(small: Material) -> None:
    """A fold that says everything a fifth as large and 60 higher knows no less."""
    (model,) = small.models
    moved = model.reports["introspection_first"].with_columns(
        pl.lit("other").alias("model"), pl.col("report").list.eval(pl.element() * 0.2 + 60)
    )
    other = replace(model, reports={**model.reports, "introspection_first": moved})
    plain, folded = (check(replace(small, models=(each,)), how=SHORT, resamples=100).joint for each in (model, other))
    assert plain is not None
    assert folded is not None
    kept = pl.col("quantity") == EXPECTED, pl.col("set") == "introspection_trained"
    one, two = (table.filter(*kept).row(0, named=True) for table in (plain, folded))
    assert one["mean"] > 0.7
    assert two["mean"] == pytest.approx(one["mean"], abs=0.12)
    assert (two["contexts"], two["replies"], two["out_of_range"]) == (10, 30, 0)


def test_a_source_without_choices_is_refused(small: Material) -> None:
    with pytest.raises(InputError, match="small, choices"):
        check(replace(small, models=()))


def test_chains_share_weights_and_gains_are_those_of_one_variant(tmp_path: Path) -> None:
    """Chains that differ in what introspection training taught have the same choices, and a gain each."""
    fill(folder(tmp_path, introspection=("targets", "shuffled")))
    found = check(material(look(place(tmp_path))), how=SHORT, joint=False, resamples=100)
    assert found.weights.select("model", "group").rows() == [(BASE, "learned"), (BASE, "native")]
    shuffled = f"{BASE}, shuffled reports"
    assert found.accuracies["model"].unique(maintain_order=True).to_list() == [BASE, shuffled]
    ours = found.accuracies.filter(quantity="weight_trained")
    assert ours.filter(model=BASE).drop("model").equals(ours.filter(model=shuffled).drop("model"))
    named = ["instilled", "instilled, shuffled reports", "native", "native, shuffled reports"]
    assert found.gains["quantity"].unique(maintain_order=True).to_list() == named
    gained = dict(found.gains.filter(method=STAN).select("quantity", "estimate").iter_rows())
    assert gained["instilled"] > gained["instilled, shuffled reports"]


def test_command_on_a_study_half_way(tmp_path: Path, command: Callable[..., str]) -> None:
    fill(folder(tmp_path), until=lambda stage: stage.role == "native")
    printed = command("check", tmp_path, "--engine", "stanli", "--no-joint", "--draws", 300)
    missed = f"Not computed for {BASE}: native after: '{BASE}: report, native, after all (targets)' has not begun"
    assert missed in " ".join(printed.split())
    kept = json.loads((tmp_path / "tables" / "check.json").read_text())
    assert {row["quantity"] for row in kept["accuracies"]} == {"off_the_shelf"}
    said = command("check", tmp_path, "--engine", "stanli", "--no-joint", "--draws", 300, "--json")
    assert json.loads(said[said.index("{") : said.rindex("}") + 1]) == kept
    assert kept["joint"] is None
    fuller = tmp_path / "tables" / "check.json"
    fuller.write_text(json.dumps({**kept, "joint": [{"model": "m"}]}))
    assert "stays as it is" in command("check", tmp_path, "--engine", "stanli", "--no-joint", "--draws", 100)
    assert json.loads(fuller.read_text())["joint"] == [{"model": "m"}]


def test_a_study_that_was_never_run_is_refused(tmp_path: Path, command: Callable[..., str]) -> None:
    assert "choices of at least one model" in command("check", folder(tmp_path), "--engine", "stanli", code=2)


def test_a_provider_is_a_studys(published: Path, command: Callable[..., str]) -> None:
    printed = command("check", published, "--provider", "simulated", "--engine", "stanli", code=2)
    assert "expected a study, with a file study.toml" in printed


def small_folder(published: Path, folder: Path, contexts: int) -> Path:
    """Copy the first contexts' rows of one model's trained group into a folder of the authors' form."""
    names = pl.read_csv(published / "scenarios.csv")["scenario"].head(contexts).to_list()
    model = "gpt-4o-2024-08-06"
    files = ["scenarios.csv", f"{model}_instilled_selections.csv", f"{model}_weight_reports.csv"]
    for name in files:
        pl.read_csv(published / name).filter(pl.col("scenario").is_in(names)).write_csv(folder / name)
    return folder


def test_command(published: Path, tmp_path: Path) -> None:
    folder = small_folder(published, tmp_path, 5)
    result = CliRunner().invoke(app, ["check", str(folder), "--engine", "stanli", "--json", "--no-joint"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["engine"].startswith("stanli")
    assert [row["method"] for row in document["accuracies"]] == [MAP, JACKKNIFE, BOOTSTRAP, STAN]
    arguments = ["check", str(folder), "--engine", "stanli", "--no-joint", "--strict"]
    text = CliRunner().invoke(app, arguments, standalone_mode=False)
    assert "off the shelf" in text.stdout
    assert text.return_value == bool(document["problems"]), text.output


def test_strict_fails_where_a_diagnostic_does(published: Path, tmp_path: Path) -> None:
    folder = small_folder(published, tmp_path, 2)
    arguments = ["check", str(folder), "--engine", "stanli", "--no-joint", "--draws", "100"]
    lenient, strict = (
        CliRunner().invoke(app, [*arguments, *more], standalone_mode=False) for more in ([], ["--strict"])
    )
    assert "ESS" in lenient.stdout
    assert (lenient.return_value, strict.return_value) == (0, 1)


def test_an_engine_that_is_missing_ends_with_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['stanli'] = None; from avowal.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", str(tmp_path), "--engine", "stanli"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'avowal[stan]'" in done.stderr
