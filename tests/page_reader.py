"""Pages of results for the tests: built quickly, and read as a browser does."""

import re
from html.parser import HTMLParser

from avowal.analysis import Settings
from avowal.page.data import page
from avowal.page.render import render
from avowal.page.sources import read

QUICK = Settings(replies=3, resamples=20, draws=50)
VOID = {"meta", "path", "img", "input", "br", "rect", "circle"}
# Elements whose end tags HTML lets a writer leave out, and what ends them.
OPTIONAL = {"tr", "td", "th", "thead", "tbody", "li", "dt", "dd", "p"}


class Reader(HTMLParser):
    """Reads a page as a browser does, as far as is needed: elements, ids, headings, tables and texts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.ids, self.headings, self.tables = [], [], [], [], []
        self.texts = {}
        self.links = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Open an element, and end those before it that need no end tag."""
        held = dict(attributes)
        if tag in ("td", "th", "tr", "tbody"):
            while self.open and self.open[-1] in ("td", "th", "thead" if tag == "tbody" else "", "tr" if tag != "td" and
                                                  tag != "th" else ""):  # fmt: skip
                self.open.pop()
        self.elements.append((tag, held))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in held:
            self.ids.append(held["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append({"caption": "", "head": [], "rows": []})
        if tag == "tr" and self.tables:
            self.tables[-1]["rows"].append([])
        if tag in ("th", "td"):
            (self.tables[-1]["head"] if held.get("scope") == "col" else self.tables[-1]["rows"][-1]).append("")
        if tag == "a" and "download" in held:
            self.links[held["download"]] = held["href"]

    def handle_endtag(self, tag):
        """Close an element: the one that is open."""
        while self.open and self.open[-1] in OPTIONAL and self.open[-1] != tag:
            self.open.pop()
        if tag in VOID:
            return
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, text):
        """Keep a text by its element, and in its cell."""
        inside = self.open[-1] if self.open else ""
        self.texts.setdefault(inside, []).append(text)
        if inside == "caption":
            self.tables[-1]["caption"] += text
        if {"th", "td"} & set(self.open):
            head = "thead" in self.open
            cells = self.tables[-1]["head"] if head else self.tables[-1]["rows"][-1]
            cells[-1] += text

    def table(self, caption):
        """Return the texts of the one table whose caption begins so."""
        (found,) = [each for each in self.tables if each["caption"].startswith(caption)]
        return [[cell.strip() for cell in row] for row in found["rows"] if row]


def built(path):
    return page(read(path, QUICK))


def tree(path):
    return Reader(render(built(path)))
