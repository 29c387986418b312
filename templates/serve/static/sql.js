// The page of SQL: runs and cancels a query, completes names, keeps what was asked, draws an answer.
"use strict";

const WORDS = ("select from where group by order by having limit join left using on as and or not in is null between like " +
  "distinct with union all case when then else end asc desc filter over partition describe summarize explain count avg min " +
  "max sum median stddev_samp quantile_cont list round coalesce cast").split(" ");
const KEPT = "xp-sql";
const MOST_KEPT = 50;
const MOST_OFFERED = 8;
const MOST_GROUPS = 10;
const COLOURS = ["#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"];
const root = document.body.dataset.root;
const byId = (id) => document.getElementById(id);
let ticket = "";

// -- what was asked before, which a browser may not let us keep
function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || [];
  } catch {
    return [];
  }
}
function keep(queries) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(queries.slice(0, MOST_KEPT)));
  } catch {
    // A private window: the query still stands in the address.
  }
  showKept();
}
function showKept() {
  const lines = kept().map((query) => {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.query = query;
    button.textContent = query.length > 160 ? `${query.slice(0, 160)}…` : query;
    line.append(button);
    return line;
  });
  byId("history").replaceChildren(...lines);
  byId("forget").hidden = lines.length === 0;
}

// -- running
async function run(query, isNew) {
  if (!query.trim() || ticket) return;
  if (isNew && new URLSearchParams(location.search).get("q") !== query) {
    history.pushState(null, "", `?${new URLSearchParams({ q: query })}`);
  }
  keep([query, ...kept().filter((one) => one !== query)]);
  ticket = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  byId("state").textContent = "running…";
  byId("cancel-query").hidden = false;
  const words = new URLSearchParams({ q: query, part: "answer", ticket });
  try {
    await htmx.ajax("GET", `${root}sql?${words}`, { source: "#answer", target: "#answer", swap: "outerHTML" });
  } finally {
    ticket = "";
    byId("state").textContent = "";
    byId("cancel-query").hidden = true;
    beginChart();
  }
}
function cancel() {
  if (ticket) htmx.ajax("POST", `${root}sql/cancel`, { source: "#cancel-query", values: { ticket }, swap: "none" });
}
function goThere(button) {
  const lines = byId("q").value.split("\n");
  const start = lines.slice(0, button.dataset.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const at = start + Number(button.dataset.column) - 1;
  byId("q").focus();
  byId("q").setSelectionRange(at, at + Math.max(1, Number(button.dataset.length)));
}

// -- completion
function wordBefore() {
  const before = byId("q").value.slice(0, byId("q").selectionStart);
  return before.match(/(?:(\w+)\.)?(\w*)$/);
}
function offers() {
  const [, owner, begun] = wordBefore();
  if (!begun && !owner) return [];
  const names = [...document.querySelectorAll("[data-relation]")];
  const mine = owner && names.find((one) => one.dataset.relation === owner);
  const columns = (mine ? [mine] : names).flatMap((one) => [...one.querySelectorAll("[data-put]")].map((put) => put.dataset.put));
  const tables = names.map((one) => one.dataset.relation);
  const before = byId("q").value.slice(0, byId("q").selectionStart);
  const first = /\b(from|join|describe|summarize)\s+\w*$/i.test(before) ? [...tables, ...columns] : [...columns, ...tables];
  const all = mine ? columns : [...first, ...WORDS];
  const low = begun.toLowerCase();
  return [...new Set(all)].filter((one) => one.toLowerCase().startsWith(low) && one !== begun).slice(0, MOST_OFFERED);
}
function offer() {
  const list = byId("completions");
  const found = offers();
  list.replaceChildren(...found.map((name, place) => {
    const line = document.createElement("li");
    line.id = `completion-${place}`;
    line.setAttribute("role", "option");
    line.textContent = name;
    return line;
  }));
  list.hidden = found.length === 0;
  choose(0);
}
function choose(place) {
  const lines = [...byId("completions").children];
  lines.forEach((line, at) => line.setAttribute("aria-selected", at === place));
  if (lines[place] && !byId("completions").hidden) byId("q").setAttribute("aria-activedescendant", lines[place].id);
  else byId("q").removeAttribute("aria-activedescendant");
}
function chosenPlace() {
  return [...byId("completions").children].findIndex((line) => line.getAttribute("aria-selected") === "true");
}
function closeOffers() {
  byId("completions").hidden = true;
  choose(-1);
}
function put(text, replaced) {
  const field = byId("q");
  field.setRangeText(text, field.selectionStart - replaced, field.selectionEnd, "end");
  field.focus();
}
function takeOffer(line) {
  put(line.textContent, wordBefore()[2].length);
  closeOffers();
}
function onKey(event) {
  const lines = [...byId("completions").children];
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    closeOffers();
    run(byId("q").value, true);
  } else if (!byId("completions").hidden && ["ArrowDown", "ArrowUp", "Tab", "Escape"].includes(event.key)) {
    event.preventDefault();
    if (event.key === "Tab") takeOffer(lines[chosenPlace()]);
    else if (event.key === "Escape") closeOffers();
    else choose((chosenPlace() + (event.key === "ArrowDown" ? 1 : lines.length - 1)) % lines.length);
  }
}

// -- the chart
function readCells(column) {
  return [...byId("rows").tBodies[0].rows].map((row) => row.cells[column]);
}
function beginChart() {
  const form = byId("chart-of");
  if (!form) return;
  form.hidden = form.elements.y.options.length === 0;
  const words = new URLSearchParams(location.search);
  const names = [...byId("rows").tHead.rows[0].cells].map((cell) => cell.textContent);
  for (const name of ["x", "y", "g"]) {
    const place = names.indexOf(words.get(name));
    if (place >= 0) form.elements[name].value = String(place);
  }
  form.elements.c.value = ["points", "line", "bars"].includes(words.get("c")) ? words.get("c") : "";
  draw(false);
}
function keepChart(form) {
  const words = new URLSearchParams(location.search);
  const names = [...byId("rows").tHead.rows[0].cells].map((cell) => cell.textContent);
  for (const name of ["c", "x", "y", "g"]) words.delete(name);
  if (form.elements.c.value) {
    words.set("c", form.elements.c.value);
    for (const name of ["x", "y", "g"]) if (form.elements[name].value) words.set(name, names[form.elements[name].value]);
  }
  history.replaceState(null, "", `?${words}`);
}
// A value is drawn where it is as a number, or else at the place of its text among all texts.
function readPoints(form) {
  const xs = readCells(form.elements.x.value);
  const isNumeric = xs.every((cell) => cell.dataset.number !== undefined || !cell.textContent);
  const texts = isNumeric && form.elements.c.value !== "bars" ? [] : [...new Set(xs.map((cell) => cell.textContent))];
  const ys = readCells(form.elements.y.value);
  const groups = form.elements.g.value ? readCells(form.elements.g.value).map((cell) => cell.textContent) : xs.map(() => "");
  const points = xs.map((cell, at) => ({
    x: texts.length ? texts.indexOf(cell.textContent) : Number(cell.dataset.number ?? NaN),
    y: Number(ys[at].dataset.number ?? NaN),
    group: groups[at],
  }));
  return { texts, points: points.filter((one) => Number.isFinite(one.x) && Number.isFinite(one.y)) };
}
function draw(isChosen) {
  const form = byId("chart-of");
  const figure = byId("chart");
  if (isChosen) keepChart(form);
  const kind = form.elements.c.value;
  figure.hidden = !kind;
  if (!kind || form.hidden) return;
  const { texts, points } = readPoints(form);
  const all = [...new Set(points.map((one) => one.group))];
  const groups = all.slice(0, MOST_GROUPS);
  const spread = kind === "bars" ? 0.8 / groups.length : 0;
  for (const one of points) one.x += (groups.indexOf(one.group) - (groups.length - 1) / 2) * spread;
  const shown = points.filter((one) => groups.includes(one.group)).sort((a, b) => a.x - b.x);
  const data = [shown.map((one) => one.x), ...groups.map((group) => shown.map((one) => (one.group === group ? one.y : null)))];
  const name = (field) => form.elements[field].selectedOptions[0].textContent;
  const said = `${name("y")} across ${name("x")}${form.elements.g.value ? ` by ${name("g")}` : ""}: ${shown.length} of ${
    byId("rows").tBodies[0].rows.length} rows` + (all.length > groups.length ? `; the first ${groups.length} of ${all.length} groups` : "");
  figure.querySelector("figcaption").textContent = said;
  const place = figure.querySelector(".place");
  place.replaceChildren();
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `Chart of ${said}. The table below has the same values.`);
  if (shown.length) new uPlot(optionsOf(kind, texts, groups, name, place.clientWidth || 600, spread), data, place);
}
function optionsOf(kind, texts, groups, name, width, spread) {
  const style = getComputedStyle(document.body);
  const ink = style.color;
  const line = style.getPropertyValue("--line").trim();
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const room = Math.max(4, Math.floor((width - 90) / Math.max(1, texts.length) / 7)); // letters between two labels
  const cut = (text) => (text.length > room ? `${text.slice(0, room - 1)}…` : text);
  const labels = (_, splits) => splits.map((at) => (Number.isInteger(at) ? cut(texts[at] ?? "") : ""));
  const bars = uPlot.paths.bars({ size: [0.9, 60] });
  const series = groups.map((group, at) => ({
    label: group || name("y"), stroke: COLOURS[at], fill: kind === "bars" ? COLOURS[at] : undefined, width: kind === "points" ? 0 : 2,
    spanGaps: true, points: { show: kind !== "bars", size: 6, fill: COLOURS[at] }, paths: kind === "bars" ? bars : undefined,
  }));
  const edge = spread ? 0.5 : 0.3;
  return {
    width, height: 340, series: [{ label: name("x") }, ...series],
    scales: { x: { time: false, range: texts.length ? () => [-edge, texts.length - 1 + edge] : undefined }, y: kind === "bars" ? { range: (_, low, high) => [Math.min(0, low), Math.max(0, high) * 1.05] } : {} },
    axes: [{ ...axis, label: name("x"), ...(texts.length ? { values: labels, incrs: [1, 2, 5, 10, 50, 100] } : {}) }, { ...axis, label: name("y"), size: 70 }],
  };
}

document.addEventListener("DOMContentLoaded", () => {
  const field = byId("q");
  showKept();
  field.addEventListener("keydown", onKey);
  field.addEventListener("input", offer);
  field.addEventListener("blur", closeOffers);
  byId("completions").addEventListener("mousedown", (event) => {
    event.preventDefault(); // the field keeps the focus
    if (event.target.matches("li")) takeOffer(event.target);
  });
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    run(field.value, true);
  });
  byId("cancel-query").addEventListener("click", cancel);
  byId("forget").addEventListener("click", () => keep([]));
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.id === "go-there") goThere(target);
    else if (target.dataset.put) put(target.dataset.put, 0);
    else if (target.dataset.query !== undefined) {
      field.value = target.dataset.query;
      run(field.value, true);
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest("#chart-of")) draw(true);
  });
  window.addEventListener("popstate", () => {
    field.value = new URLSearchParams(location.search).get("q") || "";
    run(field.value, false);
  });
  run(field.value, false);
});
