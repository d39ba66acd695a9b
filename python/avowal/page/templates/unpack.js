// Unpacks what draws the charts, which is most of the page's weight, and lets it run.
"use strict";

(async () => {
  const root = document.documentElement;
  const fail = (why) => {
    root.dataset.charts = "failed";
    for (const each of document.querySelectorAll(".chart")) each.textContent = `${why}; the tables hold the chart's numbers.`;
  };
  if (!("DecompressionStream" in window)) {
    fail("This browser is too old to draw the chart");
    return;
  }
  const held = document.getElementById("packed");
  const bytes = Uint8Array.from(atob(held.textContent), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.body.append(script);
})();
