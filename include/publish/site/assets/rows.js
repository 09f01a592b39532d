// Rows of a dataset that meet a condition, from the read API. Until it answers, none of this is shown.
"use strict";

const api = document.querySelector("[data-api]").dataset.api;
const CONDITIONS = { "is": "eq", "is not": "neq", "at least": "gte", "at most": "lte" };
const ROWS = 50;

function made(tag, text, ...children) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

function table(rows, title) {
  const names = Object.keys(rows[0]);
  const head = made("tr", "", ...names.map((name) => made("th", name)));
  for (const cell of head.cells) cell.scope = "col";
  const lines = rows.map((row) => made("tr", "", ...names.map((name) => {
    const value = row[name];
    return made("td", value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
  })));
  const box = made("div", "", made("table", "", made("thead", "", head), made("tbody", "", ...lines)));
  box.className = "scroll";
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `Rows of ${title}`);
  box.tabIndex = 0;
  return box;
}

async function ask(address, said, found, title) {
  said.textContent = "Asking …";
  found.replaceChildren();
  try {
    const answer = await fetch(address);
    const body = await answer.json();
    if (!answer.ok) {
      said.textContent = body.detail || body.title;
      return;
    }
    const more = body.next ? "the first " : "";
    said.textContent = body.rows.length ? `Here are ${more}${body.rows.length} rows.` : "No row meets this.";
    const link = made("a", "The same as JSON");
    link.href = address;
    if (body.rows.length) found.append(table(body.rows, title), link);
  } catch {
    said.textContent = "The API does not answer. The files above have all rows.";
  }
}

function form(place, described) {
  const { title, columns, links } = described;
  const column = made("select", "", ...columns.filter((one) => one.can_be_compared).map(({ name }) => made("option", name)));
  const condition = made("select", "", ...Object.keys(CONDITIONS).map((words) => made("option", words)));
  const value = made("input");
  value.required = true;
  const button = made("button", "Show rows");
  const said = made("p");
  said.setAttribute("role", "status");
  const found = made("div");
  const fields = made("form", "", made("label", "Column", column), made("label", "Condition", condition),
    made("label", "Value", value), button);
  fields.className = "ask";
  fields.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams({ [column.value]: `${CONDITIONS[condition.value]}.${value.value}`, limit: ROWS });
    ask(`${api}${links.rows}?${query}`, said, found, title);
  });
  const summary = made("summary", "Find rows");
  const of = made("span", ` of ${title}`);
  of.className = "hidden";
  summary.append(of);
  place.replaceChildren(made("details", "", summary, fields, said, found));
  place.hidden = false;
}

async function described(name) {
  const answer = await fetch(`${api}/v1/datasets/${encodeURIComponent(name)}`);
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

// One request says whether it is there; a form's columns are asked for when somebody comes near it.
async function begin() {
  const answer = await fetch(`${api}/v1/datasets`);
  if (!answer.ok) return;
  const served = new Set((await answer.json()).datasets.map(({ name }) => name));
  for (const place of document.querySelectorAll("[data-rows]")) {
    if (!served.has(place.dataset.rows)) continue;
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      described(place.dataset.rows).then((about) => form(place, about)).catch(() => { place.hidden = true; });
    }, { rootMargin: "400px" });
    near.observe(place.parentElement);
  }
}

begin().catch(() => {});
