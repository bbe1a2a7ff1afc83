"use strict";
// The reader sorts and filters the tables of variants and picks variants out, in tables, legends and charts alike.
(() => {
  const COLORS = 8;
  const FEW = 6;
  const root = document.documentElement;
  const legends = [...document.querySelectorAll(".legend button")];
  const picked = [];
  const greys = new Map();

  // A variant in the grey of the rest has a CSS variable of its own, so that it can be coloured in charts drawn long ago.
  function own(name) {
    if (!greys.has(name)) {
      greys.set(name, `--pick-${greys.size}`);
      root.style.setProperty(greys.get(name), "var(--rest)");
    }
    return `var(${greys.get(name)})`;
  }

  function recolor(node) {
    if (Array.isArray(node.domain) && Array.isArray(node.range))
      node.range = node.range.map((color, i) => (color === "var(--rest)" ? own(node.domain[i]) : color));
    for (const [key, part] of Object.entries(node))
      if (part !== null && typeof part === "object" && key !== "datasets") recolor(part);
  }

  document.addEventListener("drawing", ({ detail: spec }) => recolor(spec));

  const swatches = new Map();
  for (const button of legends) {
    const color = button.style.getPropertyValue("--swatch").trim();
    if (color === "var(--rest)") button.style.setProperty("--swatch", own(button.textContent));
    swatches.set(button.textContent, color === "var(--rest)" ? own(button.textContent) : color);
    button.addEventListener("click", () => toggle(button.textContent));
  }

  function toggle(name) {
    const place = picked.indexOf(name);
    if (place < 0) picked.push(name);
    else picked.splice(place, 1);
    paint();
    for (const button of [...legends, ...document.querySelectorAll("button.pick")])
      button.setAttribute("aria-pressed", String(picked.includes(button.dataset.variant ?? button.textContent)));
    document.dispatchEvent(new CustomEvent("picked", { detail: [...picked] }));
  }

  function paint() {
    const taken = new Set(picked.map((name) => swatches.get(name)));
    const free = Array.from({ length: COLORS }, (_, i) => `var(--c${i})`).filter((color) => !taken.has(color));
    for (const [name, variable] of greys)
      root.style.setProperty(variable, picked.includes(name) ? (free.shift() ?? "var(--ink)") : "var(--rest)");
  }

  function made(tag, properties) {
    return Object.assign(document.createElement(tag), properties);
  }

  const nameOf = (row) => row.cells[0].querySelector("bdi").textContent;

  function addPicks(rows) {
    for (const row of rows) {
      const name = nameOf(row);
      const button = made("button", { type: "button", className: "pick", title: say("pick out in table and charts") });
      button.dataset.variant = name;
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", say(`pick out ${name}`));
      button.style.setProperty("--swatch", swatches.get(name) ?? "var(--accent)");
      button.addEventListener("click", () => toggle(name));
      row.cells[0].prepend(button);
    }
  }

  const collator = new Intl.Collator(undefined, { numeric: true });

  function compare(a, b, column) {
    const [first, second] = [a, b].map((row) => row.cells[column]);
    if (column === 0) return collator.compare(nameOf(a), nameOf(b));
    const missing = ("value" in second.dataset) - ("value" in first.dataset);
    return missing || Number(first.dataset.value) - Number(second.dataset.value);
  }

  function addSorting(table, rows) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = made("button", { type: "button", className: "sort", title: say("sort") });
      button.setAttribute("aria-label", say(`sort by ${head.textContent.trim()}`));
      button.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" };
        const order = next[head.getAttribute("aria-sort") ?? "none"];
        for (const other of heads) other.removeAttribute("aria-sort");
        const sorted = [...rows];
        if (order !== "none") {
          head.setAttribute("aria-sort", order);
          sorted.sort((a, b) => compare(a, b, column));
          if (order === "descending") sorted.reverse();
          const there = (row) => column === 0 || "value" in row.cells[column].dataset;
          sorted.sort((a, b) => there(b) - there(a));
        }
        table.tBodies[0].append(...sorted);
      });
      head.append(button);
    });
  }

  function addFilter(table, rows) {
    const bar = made("p", { className: "filter" });
    const words = made("input", { type: "search", placeholder: say("filter variants") });
    words.setAttribute("aria-label", say("filter variants"));
    const only = made("button", { type: "button", textContent: say("picked only") });
    only.setAttribute("aria-pressed", "false");
    const count = made("span", { role: "status" });
    function show() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const own = only.getAttribute("aria-pressed") === "true";
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word)) || (own && !picked.includes(nameOf(row)));
      }
      const seen = rows.filter((row) => !row.hidden).length;
      count.textContent = seen < rows.length ? say(`${seen} of ${rows.length}`) : "";
    }
    words.addEventListener("input", show);
    only.addEventListener("click", () => {
      only.setAttribute("aria-pressed", String(only.getAttribute("aria-pressed") !== "true"));
      show();
    });
    document.addEventListener("picked", show);
    bar.append(words, only, count);
    table.parentElement.before(bar);
  }

  for (const table of document.querySelectorAll("table[data-variants]")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 2) continue;
    addPicks(rows);
    addSorting(table, rows);
    if (rows.length > FEW) addFilter(table, rows);
  }
})();
