"use strict";
// Airflow shows the portal in a frame that may not lead its window elsewhere. What leads out of
// the portal is therefore opened from Airflow's own page.
function leave(address, inNewTab) {
  const outer = window.parent;
  const link = outer.document.createElement("a");
  link.href = address;
  if (inNewTab) link.target = "_blank";
  outer.document.body.append(link);
  link.click();
  link.remove();
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  if (link && window.parent !== window) {
    event.preventDefault();
    leave(link.href, event.ctrlKey || event.metaKey);
  }
});
// Starts the run by Airflow's public API, as the user who is logged in: Airflow decides who may.
function parametersOf(form) {
  const text = (name) => form.elements[name].value.trim() || null;
  if (form.elements.source) return { source: form.elements.source.value };
  const chosen = form.querySelectorAll('input[name="councils"]:checked');
  return {
    councils: Array.from(chosen, (box) => box.value),
    from: text("from"),
    to: text("to"),
    mode: form.elements.mode.value,
    force: form.elements.force.checked,
    dry_run: form.elements.dry_run.checked,
  };
}
function inWords(detail) {
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail)) return detail.map((one) => one.msg).join("; ");
  return JSON.stringify(detail);
}
async function start(form) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  problem.textContent = "";
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.api, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ logical_date: null, conf: parametersOf(form) }),
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) {
      leave(form.dataset.runs + encodeURIComponent(said.dag_run_id));
      return;
    }
    problem.textContent = `Airflow refused (${answer.status}): ${inWords(said.detail ?? "")}`;
  } catch (error) {
    problem.textContent = `Airflow did not answer: ${error.message}`;
  }
  button.disabled = false;
}
for (const form of document.querySelectorAll("form[data-api]")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(form);
  });
}
