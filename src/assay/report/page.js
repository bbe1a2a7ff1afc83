"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const views = [];
  const together = ["category", "cells"];
  let focus = null;

  // Vega's own tooltip writes HTML; this one only ever writes text.
  const tip = document.getElementById("tip");
  function tooltip(_, event, __, value) {
    if (value === null || value === undefined || value === "") {
      tip.hidden = true;
      return;
    }
    const rows = Object.entries(value).map(([key, text]) => {
      const row = document.createElement("tr");
      row.insertCell().textContent = key;
      row.insertCell().appendChild(document.createElement("bdi")).textContent = text;
      return row;
    });
    tip.replaceChildren(...rows);
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - width - 14 : event.clientX + 14;
    tip.style.left = Math.max(6, left) + "px";
    tip.style.top = Math.max(6, Math.min(event.clientY + 14, innerHeight - height - 6)) + "px";
  }

  function configuration(place) {
    const config = structuredClone(charts.config);
    const narrow = place.clientWidth < 480;
    config.axis.labelLimit = Math.round(place.clientWidth * (narrow ? 0.3 : 0.32));
    config.legend.columns = narrow ? 2 : 3;
    config.legend.labelLimit = Math.round(place.clientWidth / (narrow ? 3 : 4));
    if (place.dataset.legend === "off") config.legend.disable = true;
    if (narrow) config.axis.labelFontSize = config.axis.titleFontSize = 11;
    return config;
  }

  function suited(spec, place) {
    const narrow = place.clientWidth < 480;
    const legend = (key, value) => (key === "legend" ? null : value);
    const layer = place.dataset.legend === "off" ? JSON.parse(JSON.stringify(spec.layer), legend) : spec.layer;
    return { ...spec, layer, params: spec.params?.map((each) => (each.name === "narrow" ? { ...each, value: narrow } : each)) };
  }

  async function draw(place) {
    if (place.dataset.state) return;
    place.dataset.state = "drawing";
    try {
      const spec = charts.specs[place.dataset.chart];
      place.dispatchEvent(new CustomEvent("drawing", { detail: spec, bubbles: true }));
      const options = { actions: false, renderer: "svg", defaultStyle: false, tooltip, config: configuration(place) };
      const { view } = await vegaEmbed(place, suited(spec, place), options);
      // Marks that a layer has none of are no picture that a name could be asked of.
      for (const group of place.querySelectorAll("g[role]:empty"))
        for (const name of ["role", "aria-roledescription"]) group.removeAttribute(name);
      views.push(view);
      together.forEach((signal) => share(view, signal));
      setFocus(view);
      place.dataset.state = "drawn";
      place.dispatchEvent(new CustomEvent("drawn", { detail: { view, spec }, bubbles: true }));
    } catch (error) {
      place.dataset.state = "failed";
      place.textContent = say("This chart could not be drawn; its numbers are in the CSV. (") + error.message + ")";
    }
  }

  const open = (root) =>
    [...root.querySelectorAll(".chart")].filter((place) => !place.closest("details:not([open]), [hidden]"));

  const has = (view, signal) => view.getState().signals.hasOwnProperty(signal);

  // A choice made in one chart is made in all that offer it.
  function share(view, signal) {
    if (!has(view, signal)) return;
    const example = views.find((other) => other !== view && has(other, signal));
    if (example) view.signal(signal, example.signal(signal)).runAsync();
    view.addSignalListener(signal, (_, value) => {
      for (const other of views)
        if (has(other, signal) && other.signal(signal) !== value) other.signal(signal, value).runAsync();
    });
  }

  function setFocus(view) {
    if (has(view, "focus")) view.signal("focus", focus).runAsync();
  }

  document.addEventListener("picked", ({ detail: names }) => {
    focus = names.length ? names : null;
    views.forEach(setFocus);
  });

  document.addEventListener("shown", (event) => open(event.target).forEach(draw));

  for (const folded of document.querySelectorAll("details"))
    folded.addEventListener("toggle", () => folded.open && open(folded).forEach(draw));

  for (const button of document.querySelectorAll("button.copy"))
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = say("copied");
    });

  (async () => {
    for (const place of open(document)) await draw(place);
    document.documentElement.dataset.state = "drawn";
  })();
})();
