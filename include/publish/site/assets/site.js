// Enhancements only: every page is complete without this file.
"use strict";

// Tips: what a mark stands for, while the pointer is on it. The tables say the same.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

function show(event) {
  const mark = event.target.closest("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const gap = 14;
  const most = document.documentElement.clientWidth - tip.offsetWidth - 4;
  const left = Math.max(4, Math.min(event.clientX + gap, most));
  const above = event.clientY - tip.offsetHeight - gap;
  const top = above > 0 ? above : event.clientY + gap;
  // Through the object model, which a policy without inline styles allows.
  tip.style.left = `${left + window.scrollX}px`;
  tip.style.top = `${top + window.scrollY}px`;
}
document.addEventListener("pointerover", show);
document.addEventListener("pointerdown", show);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

// Filters: a field above each long table.
const LONG = 12;
for (const table of document.querySelectorAll(".scroll > table")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < LONG) continue;
  const label = document.createElement("label");
  label.className = "filter";
  const found = document.createElement("span");
  found.setAttribute("role", "status");
  found.className = "quiet";
  const field = document.createElement("input");
  field.type = "search";
  field.addEventListener("input", () => {
    const words = field.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(words);
      if (!row.hidden) count += 1;
    }
    found.textContent = words ? ` ${count} of ${rows.length}` : "";
  });
  label.append("Filter rows", found, field);
  table.parentElement.before(label);
}
