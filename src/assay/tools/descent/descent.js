"use strict";
(() => {
  const surfaces = JSON.parse(document.getElementById("walks").textContent);
  const get = (id) => document.getElementById(id);
  const [surface, rate, number, play] = ["surface", "rate", "number", "play"].map(get);
  const canvas = document.querySelector(".map canvas");
  const drawing = document.querySelector(".map svg");
  const told = [...document.querySelectorAll(".told")];
  const chosen = () => surfaces[surface.value];
  const walks = () => Object.entries(chosen().walks[rate.value]);
  const text = (value) => Number(value.toPrecision(4)).toString().replace(/-/g, "−");
  const inner = (value) => (value < 0 ? `(${text(value)})` : text(value));

  const at = ([x, y]) => {
    const [wide, high] = chosen().extent;
    return [(450 * (x / wide + 1)).toFixed(1), (280 * (1 - y / high)).toFixed(1)];
  };

  function ground() {
    const { curvature: [a, b], extent: [wide, high] } = chosen();
    const context = canvas.getContext("2d");
    const image = context.createImageData(900, 560);
    const highest = Math.max(a, 0) * wide ** 2 + Math.max(b, 0) * high ** 2;
    const lowest = Math.min(a, 0) * wide ** 2 + Math.min(b, 0) * high ** 2;
    for (let row = 0; row < 560; row++)
      for (let column = 0; column < 900; column++) {
        const z = a * (wide * (column / 450 - 1)) ** 2 + b * (high * (1 - row / 280)) ** 2;
        const band = Math.floor(24 * Math.sqrt((z - lowest) / (highest - lowest))) / 24;
        image.data.set([90, 110, 130, 150 - 140 * band], 4 * (row * 900 + column));
      }
    context.putImageData(image, 0, 0);
  }

  function element(name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // Of one variable (0 is x, 1 is y) the rule with this step's numbers.
  const rules = {
    SGD: (s, i, r) => `${text(s[i])} − ${r}·${inner(s[3 + i])} = ${text(s[i] + s[9 + i])}`,
    momentum: (s, i, r) => `v = ${text(s[5 + i])}; ${text(s[i])} − ${r}·${inner(s[5 + i])} = ${text(s[i] + s[9 + i])}`,
    Adam: (s, i, r, t) =>
      `m̂ = ${text(s[5 + i] / (1 - 0.9 ** t))}, ŝ = ${text(s[7 + i] / (1 - 0.999 ** t))}; ${text(s[i])} + ${inner(s[9 + i])} = ${text(s[i] + s[9 + i])}`,
  };

  function row(cells) {
    const made = document.createElement("tr");
    cells.forEach((cell, i) => {
      const one = document.createElement(i ? "td" : "th");
      if (!i) one.scope = "row";
      one.textContent = cell;
      if (i && !/[a-z=]/.test(cell)) one.className = "right";
      made.append(one);
    });
    return made;
  }

  function show() {
    const here = Number(number.value);
    document.querySelector("#walk output").textContent = say(`${here + 1} of 60`);
    drawing.replaceChildren();
    const rows = walks().map(([name, { rate: r, steps }], i) => {
      const last = Math.min(here, steps.length - 1);
      const points = steps.slice(0, last + 1).map(at);
      drawing.append(element("polyline", { points: points.join(" "), style: `stroke: var(--c${i})` }));
      points.forEach(([cx, cy], k) => drawing.append(element("circle", { cx, cy, r: k === last ? 7 : 2.5, style: `fill: var(--c${i})` })));
      const step = steps[last];
      const gone = last < here ? say(`${name}, gone at step ${last + 1}`) : name;
      return row([gone, `g = ${text(step[3])}; ${rules[name](step, 0, r, last + 1)}`, `g = ${text(step[4])}; ${rules[name](step, 1, r, last + 1)}`, text(step[2])]);
    });
    document.querySelector("#now tbody").replaceChildren(...rows);
  }

  function choose() {
    told.forEach((each, i) => (each.hidden = String(i) !== surface.value));
    ground();
    const all = walks();
    const rows = Array.from({ length: 60 }, (_, k) =>
      row([String(k + 1), ...all.flatMap(([, { steps }]) => (steps[k] ? steps[k].slice(0, 3).map(text) : ["", "", ""]))]));
    document.querySelector("#all tbody").replaceChildren(...rows);
    show();
  }

  let playing = null;
  play.addEventListener("click", () => {
    const on = playing === null;
    clearInterval(playing);
    playing = on ? setInterval(() => {
      number.value = (Number(number.value) + 1) % 60;
      show();
    }, 350) : null;
    play.setAttribute("aria-pressed", String(on));
  });
  number.addEventListener("input", show);
  for (const each of [surface, rate]) each.addEventListener("change", choose);
  choose();
})();
