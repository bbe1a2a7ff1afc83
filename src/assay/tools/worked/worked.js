"use strict";
// A number that is looked at lights up what its sum is made of; ← and → go from number to number.
(() => {
  const { names, texts, constants, steps: coded } = JSON.parse(document.getElementById("worked").textContent);
  const bar = document.getElementById("player");
  const places = (board) => new Map([...board.querySelectorAll("[data-p]")].map((cell) => [Number(cell.dataset.p), cell]));

  // What stands once for all products of an entry, as [array, place, array, place, …] of each.
  const whole = (entry) => {
    if (Array.isArray(entry)) return entry;
    const { of, at } = entry;
    return at.flatMap((_, i) => (i % of.length ? [] : [of.flatMap((array, k) => [array, at[i + k]])]));
  };

  const steps = coded.map(({ anchor, entries, array }, number) => {
    const block = document.getElementById(anchor);
    const boards = new Map();
    for (const board of block.querySelectorAll(".operands .board")) boards.set(names.indexOf(board.dataset.a), places(board));
    const behind = block.querySelector(".behind");
    const cells = places(block.querySelector(".result"));
    for (const cell of cells.values()) {
      cell.dataset.step = number;
      cell.role = "gridcell";
      cell.ariaSelected = "false";
      cell.tabIndex = cell === cells.get(0) ? 0 : -1;
    }
    return { block, entries: entries.map(whole), array, boards, cells, behind: behind && places(behind), line: block.querySelector(".sum"), lines: block.querySelectorAll(".sums li") };
  });
  // What is wider than its place is scrolled by the keyboard too.
  const reachable = () => {
    for (const plane of document.querySelectorAll(".plane"))
      plane.scrollWidth > plane.clientWidth ? plane.setAttribute("tabindex", "0") : plane.removeAttribute("tabindex");
  };
  const widths = new ResizeObserver(reachable);
  for (const table of document.querySelectorAll(".plane, .plane table")) widths.observe(table);

  const made = new Map(steps.map((step) => [step.array, step]));
  let now = { step: 0, entry: 0 };
  let lit = [];

  const pairs = (product) => product.flatMap((_, i) => (i % 2 ? [] : [[product[i], product[i + 1]]]));
  const text = ([array, place]) => (array < 0 ? constants[place] : texts[array][place]);

  function mark(cell, ...classes) {
    if (!cell) return;
    cell.classList.add(...classes);
    lit.push(cell);
  }

  function clear() {
    for (const cell of lit) {
      cell.classList.remove("now", "lit", "f0", "f1", "f2", "goes", "far");
      delete cell.dataset.with;
      cell.removeAttribute("aria-current");
      if (cell.hasAttribute("aria-selected")) cell.setAttribute("aria-selected", "false");
    }
    lit = [];
  }

  // The numbers of the input that lie behind an entry, through all steps between.
  function sources(step, entry, found = new Set(), seen = new Set()) {
    for (const product of step.entries[entry])
      for (const [array, place] of pairs(product)) {
        const key = `${array} ${place}`;
        if (array < 0 || seen.has(key)) continue;
        seen.add(key);
        if (names[array] === "X") found.add(place);
        else if (made.has(array)) sources(made.get(array), place, found, seen);
      }
    return found;
  }

  function light(step, entry) {
    for (const product of step.entries[entry]) {
      const factors = pairs(product);
      factors.forEach(([array, place], i) => {
        const cell = step.boards.get(array)?.get(place);
        mark(cell, "lit", `f${Math.min([...step.boards.keys()].indexOf(array), 2)}`);
        if (cell && factors.length > 1) cell.dataset.with = "·" + factors.filter((_, k) => k !== i).map(text).map((one) => (one[0] === "−" ? `(${one})` : one)).join("·");
      });
    }
    if (step.behind) for (const place of sources(step, entry)) mark(step.behind.get(place), "far");
  }

  function show(step, entry, { focus = false, scroll = false } = {}) {
    clear();
    now = { step, entry };
    const it = steps[step];
    const cell = it.cells.get(entry);
    light(it, entry);
    mark(cell, "now");
    cell.setAttribute("aria-selected", "true");
    for (const other of it.cells.values()) other.tabIndex = other === cell ? 0 : -1;
    it.line.textContent = it.lines[entry].textContent;
    it.lines[entry].setAttribute("aria-current", "true");
    mark(it.lines[entry]);
    const name = it.lines[entry].textContent.split(" = ")[0];
    bar.querySelector("output").textContent = say(`${name}: number ${entry + 1} of ${it.cells.size}, step ${step + 1} of ${steps.length}`);
    if (scroll) it.block.scrollIntoView({ block: "nearest" });
    if (focus) cell.focus({ preventScroll: !scroll });
  }

  // Where a number goes: the results that are made of it.
  function follow(step, array, place) {
    clear();
    const it = steps[step];
    mark(it.boards.get(array)?.get(place), "lit");
    it.entries.forEach((entry, number) => {
      if (entry.some((product) => pairs(product).some(([a, p]) => a === array && p === place))) mark(it.cells.get(number), "goes");
    });
  }

  const onward = {
    next: () => (now.entry + 1 < steps[now.step].cells.size ? [now.step, now.entry + 1] : [Math.min(now.step + 1, steps.length - 1), now.step + 1 < steps.length ? 0 : now.entry]),
    back: () => (now.entry > 0 ? [now.step, now.entry - 1] : now.step > 0 ? [now.step - 1, steps[now.step - 1].cells.size - 1] : [0, 0]),
    later: () => [Math.min(now.step + 1, steps.length - 1), 0],
    earlier: () => [now.entry > 0 ? now.step : Math.max(now.step - 1, 0), 0],
  };
  const go = (way) => show(...onward[way](), { scroll: true, focus: document.activeElement?.closest(".result") !== null && document.activeElement !== document.body });

  let playing = null;
  function play(on) {
    clearInterval(playing);
    playing = on ? setInterval(() => {
      const [step, entry] = onward.next();
      if (step === now.step && entry === now.entry) play(false);
      else show(step, entry, { scroll: true });
    }, 900) : null;
    bar.querySelector("[data-do=play]").setAttribute("aria-pressed", String(on));
  }

  bar.addEventListener("click", ({ target }) => {
    const way = target.closest("button")?.dataset.do;
    if (way === "play") play(playing === null);
    else if (way) go(way);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    const way = { ArrowRight: event.shiftKey ? "later" : "next", ArrowLeft: event.shiftKey ? "earlier" : "back" }[event.key];
    const cell = event.target.closest(".result [data-p]");
    const row = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (way) go(way);
    else if (cell && row) {
      const column = cell.cellIndex;
      const rows = [...cell.closest(".board").querySelectorAll("tr")];
      const there = rows[rows.indexOf(cell.parentElement) + row]?.cells[column];
      if (there) show(Number(cell.dataset.step), Number(there.dataset.p), { focus: true, scroll: true });
    } else return;
    event.preventDefault();
  });
  for (const kind of ["pointerover", "focusin", "click"])
    document.addEventListener(kind, ({ target }) => {
      const cell = target.closest?.("[data-p]");
      const block = cell?.closest(".step");
      if (!block) return;
      const step = steps.findIndex((each) => each.block === block);
      const place = Number(cell.dataset.p);
      if (cell.closest(".result")) show(step, place);
      else if (cell.closest(".operands")) follow(step, names.indexOf(cell.closest(".board").dataset.a), place);
    });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-unfold]");
    if (!button) return;
    const list = document.getElementById(button.dataset.unfold);
    const open = list.classList.toggle("folded") === false;
    button.setAttribute("aria-expanded", String(open));
  });
  for (const list of document.querySelectorAll(".sums[data-many]")) {
    list.classList.add("folded");
    list.previousElementSibling.hidden = false;
  }
  bar.hidden = false;
  show(0, 0);
})();
