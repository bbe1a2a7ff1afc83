"use strict";
// The reader chooses which metric verdict, table and differences are about; without scripts it is the first.
(() => {
  const choosers = [...document.querySelectorAll(".chooser")];
  const menus = choosers.map((chooser) => chooser.querySelector("select"));

  function choose(metric) {
    for (const menu of menus) menu.value = metric;
    for (const view of document.querySelectorAll("[data-view]")) {
      view.hidden = view.dataset.view !== metric;
      if (!view.hidden) view.dispatchEvent(new Event("shown", { bubbles: true }));
    }
  }

  for (const chooser of choosers) chooser.hidden = false;
  for (const menu of menus) menu.addEventListener("change", () => choose(menu.value));
  // A browser that comes back to the page keeps what the menus said.
  if (menus.length && menus[0].selectedIndex > 0) choose(menus[0].value);
})();
