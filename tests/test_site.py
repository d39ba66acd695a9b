"""The site has a page for every command and module, carries what its pages link to, and is built offline."""

import re
from collections.abc import Callable

import click
import pytest
import yaml
from markdown_it import MarkdownIt
from test_docs import ROOT, links

from avowal.commands import MAP

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.fixture(scope="module")
def generated() -> object:
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(DOCS)
        import generated

        yield generated


def test_every_module_that_an_example_imports_has_a_page(generated) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *PAGES])
    imported = set(re.findall(r"^(?:>>> |\.\.\. )?\s*from (avowal(?:\.\w+)*) import", text, re.MULTILINE))
    assert len(imported) > 20
    assert imported <= set(generated.modules())


def test_modules_beyond_the_first_floor_are_there_for_a_page(generated) -> None:
    """A list that nobody needs any longer would grow for ever."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *PAGES])
    named = set(re.findall(r"avowal(?:\.\w+)+", text))
    assert not [name for name in generated.DEEPER if not any(f"avowal.{name}" in each for each in named)]


def test_the_list_of_modules_links_each_with_its_first_sentence(generated) -> None:
    text = generated.api_list()
    assert re.findall(r"\[`(.*?)`\]\((.*?)\.md\)", text) == [(name, name) for name in generated.modules()]
    assert "Fit: weights from choices" in text


def test_the_command_reference_says_what_help_says(generated, command: Callable) -> None:
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", generated.commands_page(), re.MULTILINE | re.DOTALL))
    assert {"avowal", "avowal run", "avowal contexts draft"} <= sections.keys()
    for path, section in sections.items():
        shown = command(*path.split()[1:], "--help")
        options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", shown, re.MULTILINE))
        assert options, path
        assert options <= set(re.findall(r"--[\w-]+", section)), path
    assert {f"avowal {entry.name}" for entries in MAP.values() for entry in entries} <= sections.keys()


def test_help_is_shown_as_it_is_meant(generated) -> None:
    """Letters of Markdown's are letters, an example is a block, and what must not be wrapped isn't."""
    told = click.Command("x", help="Take *any* <name>|[more].\n\nExample: avowal x a*b\n\n\b\none\n  two")
    said, examples = generated._help(told)
    html = MarkdownIt().render("\n".join(said))
    assert "<p>Take *any* &lt;name&gt;|[more].</p>" in html
    assert "one\n  two\n" in html
    assert "avowal x a*b" in MarkdownIt().render("\n".join(examples))


def test_links_out_of_docs_lead_to_pages_that_the_site_carries(generated) -> None:
    leaving = {link.partition("#")[0] for page in PAGES for link in links(page) if link.startswith("../")}
    assert leaving
    assert leaving <= {f"../{name}" for name in generated.OUTSIDE}


def test_pages_become_the_sites(generated) -> None:
    class Page:
        class file:  # noqa: N801
            src_uri = "comparison.md"

    text = '[t](../benches/results.md#a)\n  <!-- skip: next "it asks" -->\n  ```console runnable\n```python\n>>> 1\n'
    made = generated.on_page_markdown(text, page=Page)
    assert made == "[t](benches/results.md#a)\n  *Not run by the tests: it asks.*\n\n  ```console\n```pycon\n>>> 1\n"


def test_roles_become_links_where_there_are_pages(generated) -> None:
    class Page:
        class file:  # noqa: N801
            src_uri = "api/avowal.md"

    def made(name: str) -> str:
        return generated.on_page_content(f":mod:<code>{name}</code>", page=Page)

    assert made("~avowal.fit") == '<a href="avowal.fit.html"><code>avowal.fit</code></a>'
    assert (
        made("avowal.fit.fit_arrays") == '<a href="avowal.fit.html#avowal.fit.fit_arrays"><code>fit_arrays</code></a>'
    )
    assert made("avowal.study.workshop") == "<code>avowal.study.workshop</code>"


def test_the_site_is_strict_and_fetches_nothing() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = yaml.load(re.sub(r"!!python\S+", "", text), Loader=yaml.SafeLoader)
    assert config["strict"] is True
    assert config["theme"]["font"] is False
    assert {next(iter(each)) if isinstance(each, dict) else each for each in config["plugins"]} == {
        "search",
        "mkdocstrings",
    }
    assert not re.search(r"https?://", text)


def test_pages_stand_in_lines_that_can_be_read() -> None:
    """Tables and links can't be broken; all else can."""
    written = [DOCS / f"{name}.md" for name in ("start", "method", "tutorial", "real", "comparison", "cite")]
    long = [
        f"{page.name}:{number}"
        for page in written
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 130 and not line.startswith("|")
    ]
    assert not long
