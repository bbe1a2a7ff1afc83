"use strict";
// Every file of the page without a folder beside it: those it holds, and figures made from the charts as they are.
(() => {
  const { files, paper } = JSON.parse(document.getElementById("files").textContent);
  const kinds = { csv: "text/csv", tex: "application/x-tex", pdf: "application/pdf", svg: "image/svg+xml" };
  const kind = (name) => kinds[name.split(".").pop()];

  async function held(path) {
    const bytes = Uint8Array.from(atob(files[path]), (letter) => letter.charCodeAt(0));
    const content = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Blob([await new Response(content).arrayBuffer()], { type: kind(path) });
  }

  function save(blob, path) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = path.split("/").pop();
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  // A colour of the light palette, or what a variable of a variant picked out stands for.
  const onWhite = (name) =>
    paper.colors[name] ?? onWhite(/--([\w-]+)/.exec(document.documentElement.style.getPropertyValue(`--${name}`))[1]);

  // The chart in the light palette and a paper's font and width, with the choices made on the page.
  async function onPaper(shown, width, page) {
    const text = JSON.stringify(shown).replace(/"var\(--([\w-]+)\)"/g, (_, color) => `"${onWhite(color)}"`);
    const spec = { ...JSON.parse(text), autosize: "pad" };
    if (spec.width === "container") spec.width = width;
    const place = document.createElement("div");
    const { view } = await vegaEmbed(place, spec, { actions: false, renderer: "none", config: paper.config });
    for (const each of choices(shown)) view.signal(each.name, page.signal(each.name));
    return view.runAsync();
  }

  const choices = (spec) => (spec.params ?? []).filter((each) => each.bind || each.name === "focus");

  const makers = {
    SVG: async (view) => new Blob([await view.toSVG()], { type: kinds.svg }),
    PNG: async (view) => {
      const canvas = await view.background("white").toCanvas(3);
      return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    },
  };

  document.addEventListener("drawn", ({ target: place, detail: { view: page, spec } }) => {
    const figure = place.closest("figure");
    const row = figure.querySelector(".files");
    row.querySelector("[href$='.svg']")?.remove();
    const buttons = Object.entries(makers).map(([word, make]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = word;
      button.addEventListener("click", async () => {
        const view = await onPaper(spec, figure.classList.contains("wide") ? paper.wide : paper.half, page);
        save(await make(view), `${place.dataset.chart}.${word.toLowerCase()}`);
        view.finalize();
      });
      return button;
    });
    row.prepend(...buttons);
    const pdf = row.querySelector("[href$='.pdf']");
    const namePdf = () => {
      const same = choices(spec).every((each) => page.signal(each.name) === (each.value ?? null));
      pdf.textContent = same ? "PDF" : say("PDF as first drawn");
    };
    if (pdf) for (const each of choices(spec)) page.addSignalListener(each.name, namePdf);
    if (pdf) namePdf();
  });

  document.addEventListener("click", async (event) => {
    const link = event.target.closest(".files a[download]");
    const path = link && decodeURIComponent(link.getAttribute("href"));
    if (!link || !(path in files)) return;
    event.preventDefault();
    save(await held(path), path);
  });
})();
