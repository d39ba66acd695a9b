// Draws the page's charts: in the width and the scheme that there are, again when either changes, and without a network.
"use strict";

function avowalCharts(charts, configs) {
  const root = document.documentElement;
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const refuse = () => Promise.reject(new Error("the page loads nothing"));
  const loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };
  const drawn = new Map();

  // The stylesheet has the last word, so that a switch on the page needs no word with this script.
  function dark() {
    const schemes = getComputedStyle(root).colorScheme.split(" ");
    if (schemes.includes("dark") !== schemes.includes("light")) return schemes.includes("dark");
    return preferred.matches;
  }

  // Panels have one size each: how many stand beside each other is for the width to say.
  function fitted(spec, width) {
    const fit = spec.usermeta && spec.usermeta.fit;
    if (!fit) return spec;
    const gap = spec.spacing.column;
    const side = (columns) => Math.floor((width - fit.left - gap * (columns - 1)) / columns);
    const chosen = fit.layouts.find((each) => side(each.columns) >= fit.least) || fit.layouts[fit.layouts.length - 1];
    const size = Math.max(80, Math.min(fit.most, side(chosen.columns)));
    const sort = { ...spec.facet.sort, field: chosen.sort };
    const cell = { ...spec.spec, width: size, ...(fit.square ? { height: size } : {}) };
    return { ...spec, columns: chosen.columns, facet: { ...spec.facet, sort }, spec: cell };
  }

  async function draw(place, spec) {
    const width = place.clientWidth;
    const scheme = dark() ? "dark" : "light";
    const last = drawn.get(place);
    if (!width || (last && last.width === width && last.scheme === scheme)) return;
    const mine = { width, scheme, view: last && last.view };
    drawn.set(place, mine);
    const result = await vegaEmbed(place, fitted(spec, width), {
      actions: false, ast: true, config: configs[scheme], defaultStyle: false, loader, mode: "vega-lite",
      renderer: "svg", tooltip: { theme: scheme },
    });
    if (mine.view) mine.view.finalize();
    mine.view = result.view;
    place.dataset.drawn = scheme;
  }

  let due;
  let running = Promise.resolve();
  function drawAll() {
    running = running.then(async () => {
      for (const [id, spec] of Object.entries(charts)) {
        const place = document.getElementById(id);
        if (place) await draw(place, spec);
      }
      root.dataset.charts = "drawn";
    }).catch((error) => { root.dataset.charts = "failed"; throw error; });
    return running;
  }
  const later = () => { clearTimeout(due); due = setTimeout(drawAll, 150); };

  const observer = new ResizeObserver(later);
  for (const id of Object.keys(charts)) {
    const place = document.getElementById(id);
    if (place) observer.observe(place);
  }
  new MutationObserver(later).observe(root, { attributes: true, attributeFilter: ["class", "style", "data-scheme", "data-theme"] });
  preferred.addEventListener("change", later);
  return drawAll();
}
