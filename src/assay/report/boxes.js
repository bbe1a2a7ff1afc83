"use strict";
// What a box in a picture is: told under the pointer and the focus, which the arrow keys move from box to box.
(() => {
  const tip = document.getElementById("tip");
  const boxes = (one) => [...one.closest("svg").querySelectorAll("rect")];

  function tell(box) {
    const cell = document.createElement("tr").insertCell();
    cell.appendChild(document.createElement("bdi")).textContent = box.getAttribute("aria-label");
    tip.replaceChildren(cell.parentElement);
    tip.hidden = false;
    const { left, top, bottom } = box.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const below = bottom + 6 + height <= innerHeight;
    tip.style.left = Math.max(6, Math.min(left, innerWidth - width - 6)) + "px";
    tip.style.top = Math.max(6, below ? bottom + 6 : top - height - 6) + "px";
  }

  const hide = () => (tip.hidden = true);
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  for (const box of document.querySelectorAll(".framed rect")) {
    box.addEventListener("pointerenter", () => tell(box));
    box.addEventListener("pointerleave", hide);
    box.addEventListener("focus", () => tell(box));
    box.addEventListener("blur", hide);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
      if (!(event.key in steps)) return;
      event.preventDefault();
      const all = boxes(box);
      const next = all[(all.indexOf(box) + steps[event.key] + all.length) % all.length];
      box.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
})();
