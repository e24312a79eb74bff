// Makes pages nicer that work without it. Nothing here decides anything: the server checks all of it again.
"use strict";

// Says where the browser is, so that the next page shows its times. The server knows nothing better without it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`picard_zone=${zone}`)) {
  document.cookie = `picard_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax`;
}

// A menu closes when one goes elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select");
  if (event.key === "Escape") {
    const open = event.target.closest("details[open]") ?? document.querySelector("details.menu[open]");
    if (open && !isTyping) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  } else if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const finder = document.querySelector("#q, #top-q");
    if (finder) {
      event.preventDefault();
      finder.focus();
    }
  }
});

// A form is sent once. Going back to the page makes it usable again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});
