"use strict";

const at = (id) => document.getElementById(id);

function address() {
  const kind = document.querySelector("input[name=kind]:checked").value;
  const parts = at("query").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const query = parts.map((part) => {
    const [name, ...rest] = part.split("=");
    return rest.length ? `${encodeURIComponent(name)}=${encodeURIComponent(rest.join("="))}` : encodeURIComponent(name);
  });
  return `/v1/datasets/${encodeURIComponent(at("dataset").value)}/${kind}${query.length ? "?" : ""}${query.join("&")}`;
}

function show() {
  at("address").href = address();
  at("shown").textContent = address();
}

async function send(event) {
  event.preventDefault();
  show();
  const begun = performance.now();
  try {
    const answer = await fetch(address());
    const text = await answer.text();
    at("status").textContent = `${answer.status} in ${Math.round(performance.now() - begun)} ms`;
    at("answer").textContent = text;
  } catch (error) {
    at("status").textContent = `No answer: ${error.message}`;
    at("answer").textContent = "";
  }
}

async function describe() {
  const about = await (await fetch(`/v1/datasets/${encodeURIComponent(at("dataset").value)}`)).json();
  at("about").textContent = `${about.description} ${about.rows.toLocaleString("en-GB")} rows. ${about.attribution}`;
  at("columns").replaceChildren(...about.columns.map((column) => {
    const row = document.createElement("tr");
    for (const text of [column.name, column.type, column.description]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  }));
  show();
}

async function begin() {
  const { datasets } = await (await fetch("/v1/datasets")).json();
  at("dataset").replaceChildren(...datasets.map(({ name, title }) => new Option(title, name)));
  at("dataset").addEventListener("change", describe);
  at("try").addEventListener("submit", send);
  at("try").addEventListener("input", show);
  await describe();
}

begin();
