"use strict";
// What a term means opens by click or touch without scripts; with them also under the pointer and the focus, beside it.
(() => {
  let pinned = false;

  function place(term, meaning) {
    const { left, top, bottom } = term.getBoundingClientRect();
    const { width, height } = meaning.getBoundingClientRect();
    const below = bottom + 6 + height <= innerHeight;
    meaning.style.left = Math.max(6, Math.min(left, innerWidth - width - 6)) + "px";
    meaning.style.top = Math.max(6, below ? bottom + 6 : top - height - 6) + "px";
  }

  for (const term of document.querySelectorAll("button.term")) {
    const meaning = document.getElementById(term.getAttribute("popovertarget"));
    const isOpen = () => meaning.matches(":popover-open");
    const show = () => {
      if (!isOpen()) meaning.showPopover();
      place(term, meaning);
    };
    const hide = () => !pinned && isOpen() && meaning.hidePopover();
    term.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show());
    term.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    term.addEventListener("focus", () => term.matches(":focus-visible") && show());
    term.addEventListener("blur", () => {
      pinned = false;
      hide();
    });
    term.addEventListener("click", (event) => {
      event.preventDefault();
      pinned = !(pinned && isOpen());
      if (pinned) show();
      else hide();
    });
  }
})();
