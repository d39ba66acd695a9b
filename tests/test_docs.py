"""The pages say what is true: their examples run, their links lead somewhere, and every public name is described."""

import doctest
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

import avowal
from avowal.analysis.document import document
from avowal.published.replicate import replicate

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
# A block of text holds a formula or an output, and is no code.
KINDS = {"python", "console runnable", "console", "bash", "json", "toml", "text"}
# A path into the folder of the authors' files, or the folder as a command's argument.
AUTHORS_FILES = re.compile(r"published/|^\$ avowal \w+ published\b", re.MULTILINE)
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_console(example: Example) -> None:
    """Run every `$ ` line; the lines below it, if any, are its output, where `...` stands for anything."""
    for chunk in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, expected = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", chunk, re.DOTALL).groups()
        scripts = str(Path(sys.executable).parent)
        environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ["PATH"]]), "COLUMNS": "120"}
        done = subprocess.run(  # noqa: S602
            command,
            shell=True,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\nexit status {done.returncode}\n{done.stdout}"
        if expected.strip():
            assert doctest.OutputChecker().check_output(expected, done.stdout, LENIENT), (
                f"{command}\nexpected:\n{expected}\nfound:\n{done.stdout}"
            )


def comment_above(example: Example) -> str:
    """Return the comment on the line above a block, or nothing."""
    found = re.search(r"<!-- (.*) -->\n[ ]*\Z", example.document.text[: example.start])
    return found[1] if found else ""


def refuse(example: Example) -> None:
    """Fail: the block does not run. Only `<!-- skip: next "reason" -->` above it spares it from coming here."""
    command = re.fullmatch(r"(\w+)-command", comment_above(example))
    assert command, 'a block that does not run says why: <!-- skip: next "reason" --> on the line above'
    # CI takes it from the page and runs it as it stands.
    assert f"readme_command {command[1]}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert Path(example.path).name == "README.md"


def write_file(example: Example) -> None:
    """Write a block of data as the file that the comment above it names, for the blocks below to use."""
    file = re.fullmatch(r"file: ([\w.-]+)", comment_above(example))
    assert file, "a block of data is written: <!-- file: NAME --> on the line above, or says why it isn't"
    Path(file[1]).write_text(str(example.parsed), encoding="utf-8")


EXAMPLES = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=LENIENT),
        CodeBlockParser("console runnable", run_console),
        *(CodeBlockParser(kind, refuse) for kind in ("console", "bash")),
        *(CodeBlockParser(kind, write_file) for kind in ("json", "toml")),
        SkipParser(),
    ]
)


def in_order() -> list[Example]:
    return [example for page in PAGES for example in EXAMPLES.parse(page).examples()]


def place(example: Example) -> str:
    return f"{Path(example.path).relative_to(ROOT)}:{example.line}"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {str(page): tmp_path_factory.mktemp(page.stem) for page in PAGES}


@pytest.mark.parametrize("example", in_order(), ids=place)
def test_example(
    example: Example, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A page's examples run in order, share their names, and find the authors' files in `published/`."""
    folder = folders[example.path]
    if AUTHORS_FILES.search(str(example.parsed)) and not (folder / "published").exists():
        (folder / "published").symlink_to(request.getfixturevalue("published"))
    monkeypatch.chdir(folder)
    example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_are_of_a_known_kind(page: Path) -> None:
    """A block that is misnamed would never run."""
    infos = {token.info for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) if token.type == "fence"}
    assert infos <= KINDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_skipped_has_a_reason(page: Path) -> None:
    """Without one, the block below would pass by not being run."""
    for comment in re.findall(r"<!--\W*skip.*", page.read_text(encoding="utf-8")):
        assert re.fullmatch(r'<!-- skip: next "\w.* .*" -->', comment), comment


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ true\n```\n",
        "```bash\ntrue\n```\n",
        "```toml\na = 1\n```\n",
        "```json\n1\n```\n",
        "- in a list:\n\n  ```bash\n  true\n  ```\n",
        "<!-- other-command -->\n```bash\ntrue\n```\n",
        "<!-- demo-command -->\n```bash\ntrue\n```\n",
    ],
)
def test_a_block_that_neither_runs_nor_says_why_fails(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    (example,) = EXAMPLES.parse(page).examples()
    with pytest.raises(AssertionError):
        example.evaluate()


def test_a_block_of_data_is_written_for_those_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- file: a.toml -->\n```toml\na = 1\n```\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (example,) = EXAMPLES.parse(page).examples()
    example.evaluate()
    assert (tmp_path / "a.toml").read_text(encoding="utf-8") == "a = 1\n"


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children)
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            repeats = (f"{slug}-{n}" if n else slug for n in range(len(tokens)))
            found.add(next(anchor for anchor in repeats if anchor not in found))
    return found


def links(page: Path) -> Iterator[str]:
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        for child in token.children or []:
            target = child.attrs.get("href", child.attrs.get("src"))
            if target is not None:
                yield str(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links name files of the project and anchors of their headings; addresses elsewhere aren't visited."""
    for link in links(page):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), f"{link} leaves the project"
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading in {target.name}"


PLACES = r"(?:tests|rust|python|benches|contexts|docs|\.ci)/[\w./*-]+"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_lead_somewhere(page: Path) -> None:
    """A path of the project in backticks, or in a command, is that of a file or folder; others are left alone."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    quoted = {child.content for token in tokens for child in token.children or [] if child.type == "code_inline"}
    named = {text for text in quoted if re.fullmatch(PLACES, text)}
    for token in tokens:
        if token.type == "fence" and token.info.startswith("console"):
            named |= set(re.findall(rf"(?<=\s){PLACES}", token.content))
    assert not sorted(name for name in named if not any(ROOT.glob(name)))


def public() -> list[Callable[..., object]]:
    """Return the functions and classes that the package and its public modules offer."""
    found: list[object] = []
    for item in (getattr(avowal, name) for name in avowal.__all__):
        if inspect.ismodule(item):
            own = [name for name, value in vars(item).items() if getattr(value, "__module__", "") == item.__name__]
            names = getattr(item, "__all__", [name for name in own if not name.startswith("_")])
            found += [getattr(item, name) for name in names]
        else:
            found.append(item)
    return [item for item in found if inspect.isfunction(item) or inspect.isclass(item)]


@pytest.mark.parametrize("item", public(), ids=lambda item: f"{item.__module__}.{item.__qualname__}")
def test_public_name_is_described(item: Callable[..., object]) -> None:
    """A function's parameters and result have their sections, and so has every field of a dataclass."""
    wanted = {"GL08"}
    if inspect.isfunction(item):
        wanted |= {"PR01", "PR02", "RT01", "YD01"}
    elif is_dataclass(item):
        listed = {name.strip() for entry in ClassDoc(item)["Attributes"] for name in entry.name.split(",")}
        assert {field.name for field in fields(item)} <= listed
    # By its own module: avowal.fit may be a function as well as the module that holds it.
    address = f"{item.__module__}.{item.__qualname__}"
    assert not [message for code, message in validate(address)["errors"] if code in wanted]


def same(shown: object, found: object) -> bool:
    """Whether an abridged JSON value says what the whole one does, numbers up to four decimals."""
    match shown, found:
        case dict(), dict():
            return all(key in found and same(value, found[key]) for key, value in shown.items())
        case list(), list() if shown and isinstance(shown[0], str | dict):
            return all(any(same(value, other) for other in found) for value in shown)
        case list(), list():
            return len(shown) == len(found) and all(same(*pair) for pair in zip(shown, found, strict=True))
        case float(), float():
            return abs(shown - found) <= 0.5001e-4
    return type(shown) is type(found) and shown == found


def test_the_json_example_is_of_the_authors_files(published: Path) -> None:
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "json.md").read_text(encoding="utf-8"), re.DOTALL)
    shown, found = json.loads(blocks[-1]), document(replicate(published))
    # As given, and of the release: neither is a result.
    for volatile in ("folder", "version"):
        del shown["settings"][volatile]
    assert same(shown, found)


def test_the_table_of_speed_is_that_of_the_results() -> None:
    def rows(page: str) -> list[list[str]]:
        lines = iter((ROOT / page).read_text(encoding="utf-8").splitlines())
        header = next(line for line in lines if line.startswith("| fitter |"))
        found = [header, *itertools.takewhile(lambda line: line.startswith("|"), lines)]
        return [[cell.strip() for cell in line.split("|")[1:4]] for line in found]

    shown, made = rows("README.md"), rows("benches/results.md")
    assert len(shown) > 5
    assert shown == made


def test_the_table_and_figure_of_recovery_are_of_the_kept_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import stan_recovery

    from avowal.stan.recovery import STUDIES

    assert stan_recovery.table() in (ROOT / "docs" / "stan-joint.md").read_text(encoding="utf-8")
    assert stan_recovery.figure() == (ROOT / "docs" / "stan-recovery.svg").read_text(encoding="utf-8")
    assert min(stan_recovery.summarise(stan_recovery.rows())["studies"]) >= STUDIES
