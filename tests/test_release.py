"""A release is of one piece: one version, one licence, actions pinned by content, a citation that can be read."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml

import avowal

ROOT = Path(__file__).resolve().parent.parent
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def crates() -> list[Path]:
    return [ROOT / member / "Cargo.toml" for member in CARGO["workspace"]["members"]]


def test_the_version_is_cargos_alone() -> None:
    version = CARGO["workspace"]["package"]["version"]
    assert avowal.__version__ == version
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT
    assert "version" not in CITATION
    for crate in crates():
        assert tomllib.loads(crate.read_text(encoding="utf-8"))["package"]["version"] == {"workspace": True}


def test_licence_and_name_agree() -> None:
    assert PROJECT["license"] == CARGO["workspace"]["package"]["license"] == CITATION["license"] == "Apache-2.0"
    assert {PROJECT["name"], metadata("avowal")["Name"]} == {"avowal"}
    assert CITATION["authors"] == PROJECT["authors"]
    for file in PROJECT["license-files"]:
        assert (ROOT / file).is_file()


def test_least_versions_agree() -> None:
    """The README, the wheel's tag and the workflows ask for the Python and the Rust that the metadata name."""
    python = PROJECT["requires-python"].removeprefix(">=")
    bindings = tomllib.loads((ROOT / "rust" / "bindings" / "Cargo.toml").read_text(encoding="utf-8"))
    assert bindings["dependencies"]["pyo3"]["features"] == [f"abi3-py{python.replace('.', '')}"]
    rust = CARGO["workspace"]["package"]["rust-version"]
    for page in (ROOT / "README.md", ROOT / "docs" / "start.md"):
        text = page.read_text(encoding="utf-8")
        assert f"Python {python} or later" in text
        assert f"Rust {rust} or later" in text
    for workflow in WORKFLOWS:
        assert set(re.findall(r'python-version: "(.*)"', workflow.read_text(encoding="utf-8"))) == {python}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_content(workflow: Path) -> None:
    """A tag may be moved to other code, a hash can't; the version stands beside it for people."""
    text = workflow.read_text(encoding="utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert not [line for line in used if not re.fullmatch(r"[\w-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]
    jobs = yaml.safe_load(text)
    assert jobs["permissions"] == {}, "each job asks for what it needs"


def test_pins_of_one_action_agree() -> None:
    pins = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len(pins) == len({line.partition("@")[0] for line in pins})


def test_only_a_tag_publishes_and_without_a_password() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    release = yaml.safe_load(text)
    writing = [name for name, job in release["jobs"].items() if "write" in job["permissions"].values()]
    assert writing == ["publish"]
    publish = release["jobs"]["publish"]
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert publish["environment"] == "pypi"
    assert publish["needs"] == ["wheels", "sdist"]
    assert "secrets." not in text


def test_every_platform_has_a_wheel() -> None:
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    built = {each["name"] for each in release["jobs"]["wheels"]["strategy"]["matrix"]["include"]}
    assert {"linux-x86_64", "linux-aarch64", "macos-aarch64", "macos-x86_64", "windows-x86_64"} == built


def test_the_citation_has_what_the_format_asks_for() -> None:
    """Required by Citation File Format 1.2.0: authors, version of the format, message, title."""
    assert CITATION["cff-version"] == "1.2.0"
    assert all(CITATION[key] for key in ("authors", "message", "title"))
    paper = CITATION["references"][0]
    assert [author["family-names"] for author in paper["authors"]] == ["Plunkett", "Morris", "Reddy", "Morales"]
    cited = (ROOT / "docs" / "cite.md").read_text(encoding="utf-8")
    assert CITATION["title"] in cited
    assert all(author["family-names"] in cited for author in paper["authors"])
