// The page's own script: the scheme, tables that sort and filter, contexts that are looked for, and paper.
"use strict";

(() => {
  const root = document.documentElement;
  const make = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const theme = document.getElementById("theme");
  const prefers = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefers.matches);
  const tell = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; tell(); });
  prefers.addEventListener("change", tell);
  tell();

  // "1,000 of 2,000", "$1.20", "82.6%", ".54 [.47, .62]": what a cell is sorted by is its first number.
  const number = (text) => {
    const plain = text.replace(/[$,]/g, "");
    return /^-?\.?\d/.test(plain) ? parseFloat(plain) : NaN;
  };
  const missing = (text) => text === "" || text === "–";

  function sort(table, column, header) {
    const descending = header.getAttribute("aria-sort") === "ascending";
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const keyed = [...table.tBodies[0].rows].map((row) => {
      const text = row.cells[column].textContent.trim();
      return { row, text, value: number(text) };
    });
    const sign = descending ? -1 : 1;
    keyed.sort((one, other) => {
      if (missing(one.text) !== missing(other.text)) return missing(one.text) ? 1 : -1;
      const both = !Number.isNaN(one.value) && !Number.isNaN(other.value);
      return sign * (both ? one.value - other.value : one.text.localeCompare(other.text));
    });
    table.tBodies[0].append(...keyed.map((each) => each.row));
  }

  function filtering(words, items, textOf) {
    const input = make("input", { type: "search", autocomplete: "off" });
    const told = make("span", { role: "status" });
    const texts = items.map((each) => textOf(each).toLowerCase());
    const apply = () => {
      const asked = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let many = 0;
      items.forEach((each, place) => {
        each.hidden = !asked.every((word) => texts[place].includes(word));
        many += each.hidden ? 0 : 1;
      });
      told.textContent = `${many} of ${items.length}`;
    };
    input.addEventListener("input", apply);
    apply();
    return make("div", { className: "filter" }, make("label", {}, `${words} `, input), told);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = make("button", { type: "button" }, ...header.childNodes);
      button.addEventListener("click", () => sort(table, column, header));
      header.append(button);
    });
    const rows = [...table.tBodies[0].rows];
    table.closest(".table").prepend(filtering("Rows with", rows, (row) => row.textContent));
  }

  const panels = document.getElementById("panels");
  if (panels) {
    const all = [...panels.children];
    const filter = filtering("Contexts with", all, (panel) => panel.querySelector("summary").textContent);
    const button = make("button", { type: "button" }, "Open all shown");
    button.addEventListener("click", () => {
      const open = button.textContent.startsWith("Open");
      for (const panel of all) if (!panel.hidden) panel.open = open;
      button.textContent = open ? "Close all shown" : "Open all shown";
    });
    filter.append(button);
    panels.before(filter);
  }

  // Paper shows everything: what is closed, and what a filter has left out.
  let opened = [], unhidden = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const each of opened) each.open = true;
    unhidden = [...document.querySelectorAll("tbody > tr[hidden], #panels > [hidden]")];
    for (const each of unhidden) each.hidden = false;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
    for (const each of unhidden) each.hidden = true;
  });
})();
