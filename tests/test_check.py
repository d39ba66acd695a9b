"""The final check puts methods side by side, warns where they disagree, and prints what spoils a number beside it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from stan_worlds import study

from avowal.cli import app
from avowal.contexts import Context
from avowal.errors import InputError
from avowal.stan import Sampling
from avowal.stan.check import BOOTSTRAP, COMPARED, JACKKNIFE, MAP, STAN, Check, Subject, check, disagreements
from avowal.stan.printed import printed

pytest.importorskip("stanli")
SHORT = Sampling(engine="stanli", warmup=300, draws=400)


@pytest.fixture(scope="module")
def small() -> tuple[tuple[Context, ...], Subject]:
    known, chosen, before = study(count=10, trials=30, rho=0.2)
    after = study(count=10, trials=30, rho=0.95)[2]
    return known, Subject("m", {"learned": chosen}, {"before": ("learned", before), "after": ("learned", after)})


@pytest.fixture(scope="module")
def found(small: tuple[tuple[Context, ...], Subject]) -> Check:
    known, subject = small
    return check([subject], known, {"training": ("before", "after")}, how=SHORT, resamples=500)


def test_every_method_stands_beside_the_others(found: Check) -> None:
    assert found.accuracies.columns == list(COMPARED)
    for name in ("before", "after"):
        rows = found.accuracies.filter(quantity=name)
        assert rows["method"].to_list() == [MAP, BOOTSTRAP, STAN]
        assert rows["difference"].abs().max() < 0.1
        assert (rows["low"] <= rows["estimate"]).all()
    assert found.gains["method"].to_list() == [MAP, JACKKNIFE, STAN]
    assert found.weights.row(0, named=True)["r"] > 0.99
    assert len(found.joint) == 6


def test_the_engine_is_named_and_the_page_is_complete(found: Check) -> None:
    parts = printed(found, {"before": "weight-trained"})
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


def test_a_set_that_cannot_be_estimated_is_a_status_and_a_problem(
    small: tuple[tuple[Context, ...], Subject],
) -> None:
    known, subject = small
    group, reports = subject.reports["before"]
    one = replace(subject, reports={"before": (group, reports.filter(pl.col("context") == "c0").head(1))})
    result = check([one], known, {"training": ("before", "after")}, how=SHORT, resamples=100)
    assert any("too few reports" in line for line in result.problems)
    assert len(result.joint) == 0
    assert len(result.gains) == 0


def test_models_are_named_once(small: tuple[tuple[Context, ...], Subject]) -> None:
    known, subject = small
    for subjects in ([], [subject, subject]):
        with pytest.raises(InputError, match="subjects"):
            check(subjects, known, {})


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
    assert [row["method"] for row in document["accuracies"]] == [MAP, BOOTSTRAP, STAN]
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
