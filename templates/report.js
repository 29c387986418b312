// A report's tables on a screen: sort and filter them, show where a number comes from, put chosen arms side by side.
// Without this script the page says all the same. It asks nothing of any network.
"use strict";
(() => {
  const make = (name, about = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(about)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };
  const textOf = (cell) => (cell ? cell.textContent.trim() : "");
  const SIZES = { k: 1e3, M: 1e6, G: 1e9 };
  // "21.40 M ± 0.10 M" is 21.4e6, "[0.1, 0.2]" has none; what is no number comes last.
  const numberOf = (text) => {
    const found = /^([+\-−]?[\d,]*\.?\d+)(?: ([kMG])\b)?/.exec(text);
    return found ? Number(found[1].replace(/,/g, "").replace("−", "-")) * (SIZES[found[2]] || 1) : NaN;
  };

  // Sorting: up, down, and as it was.
  const sortBy = (table, at, way) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((one, two) => one.dataset.place - two.dataset.place);
    const isText = table.tHead.rows[0].cells[at].classList.contains("word") || at === 0
      || !rows.some((row) => !Number.isNaN(numberOf(textOf(row.cells[at]))));
    const sign = way === "descending" ? -1 : 1;
    const compare = (one, two) => {
      const [a, b] = [textOf(one.cells[at]), textOf(two.cells[at])];
      if (isText) return sign * a.localeCompare(b, "en", { numeric: true });
      const [x, y] = [numberOf(a), numberOf(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    };
    if (way !== "none") rows.sort(compare);
    body.append(...rows);
    for (const head of table.tHead.rows[0].cells) head.setAttribute("aria-sort", "none");
    table.tHead.rows[0].cells[at].setAttribute("aria-sort", way);
  };
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
  const makeSortable = (table) => {
    [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = make("button", { type: "button", class: "sort" }, ...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sortBy(table, at, NEXT[head.getAttribute("aria-sort")]));
    });
  };

  // Filtering: rows that hold every word that was typed.
  const makeFilter = (table, tools) => {
    const input = make("input", { type: "search", placeholder: "filter rows", "aria-label": "Filter rows" });
    const told = make("span", { class: "count", role: "status" });
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...table.tBodies[0].rows];
      for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      told.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
    });
    tools.append(input, told);
  };

  // Origins: a number says where it comes from, on a click or Enter; arrows go from number to number.
  const card = make("div", { class: "origin", role: "dialog", "aria-label": "Where this number comes from", tabindex: "-1" });
  let asked = null;
  const closeCard = () => {
    if (!asked) return;
    card.remove();
    asked.focus();
    asked = null;
  };
  const openCard = (cell) => {
    asked = cell;
    const shut = make("button", { type: "button", class: "shut" }, "Close");
    shut.addEventListener("click", closeCard);
    const facts = make("dl");
    for (const [name, text] of Object.entries(JSON.parse(cell.dataset.origin))) {
      facts.append(make("dt", {}, name), make("dd", {}, name === "SQL" ? make("code", {}, text) : text));
    }
    card.replaceChildren(make("strong", {}, `${textOf(cell.parentNode.cells[0])}: ${cell.dataset.label}`), shut, facts);
    document.body.append(card);
    const box = cell.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - card.offsetWidth - 8));
    card.style.left = `${left + window.scrollX}px`;
    card.style.top = `${box.bottom + window.scrollY + 4}px`;
    card.focus();
    card.scrollIntoView({ block: "nearest" });
  };
  const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  const move = (cell, [across, down]) => {
    const rows = [...cell.closest("tbody").rows].filter((row) => !row.hidden);
    let row = rows.indexOf(cell.parentNode) + down, at = cell.cellIndex + across;
    while (rows[row] && rows[row].cells[at] && !rows[row].cells[at].dataset.origin) [row, at] = [row + down, at + across];
    const next = rows[row] && rows[row].cells[at];
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };
  const makeOrigins = (table) => {
    table.querySelectorAll("[data-origin]").forEach((cell, at) => {
      cell.tabIndex = at ? -1 : 0;
      cell.setAttribute("aria-haspopup", "dialog");
      cell.addEventListener("click", () => (asked === cell ? closeCard() : openCard(cell)));
      cell.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") openCard(cell);
        else if (STEPS[event.key]) move(cell, STEPS[event.key]);
        else return;
        event.preventDefault();
      });
    });
  };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeCard(); });
  document.addEventListener("click", (event) => {
    if (asked && !card.contains(event.target) && !asked.contains(event.target)) { card.remove(); asked = null; }
  });

  // Chosen arms side by side: the settings in which they differ, and their figures of this table.
  const sideBySide = (table, chosen, settings) => {
    const heads = [...table.tHead.rows[0].cells].slice(1).map(textOf);
    const names = chosen.map((row) => row.dataset.arm);
    const lines = Object.keys(settings[names[0]] || {}).map((path) => [path, ...names.map((arm) => settings[arm][path])]);
    heads.forEach((head, at) => lines.push([head, ...chosen.map((row) => textOf(row.cells[at + 1]))]));
    const body = lines.filter((line) => new Set(line.slice(1)).size > 1).map((line) => make("tr", {},
      make("th", { scope: "row" }, line[0]), ...line.slice(1).map((text, at) => make("td", { "data-label": names[at] }, text))));
    const head = make("tr", {}, make("th", { scope: "col" }, "differs"), ...names.map((arm) => make("th", { scope: "col" }, arm)));
    return make("table", { class: "words" }, make("thead", {}, head), make("tbody", {}, ...body));
  };
  const makeChoice = (table, settings) => {
    const shown = make("div", { class: "wide chosen", role: "region", "aria-label": "Chosen arms side by side", hidden: "" });
    table.closest(".wide").after(shown);
    for (const row of table.tBodies[0].rows) {
      row.dataset.arm = textOf(row.cells[0]).replace(/ \(baseline\)$/, "");
      const box = make("input", { type: "checkbox", "aria-label": `Choose ${row.dataset.arm}` });
      row.cells[0].prepend(box);
      box.addEventListener("change", () => {
        const chosen = [...table.tBodies[0].rows].filter((one) => one.querySelector("input").checked);
        shown.hidden = chosen.length < 2;
        if (!shown.hidden) shown.replaceChildren(sideBySide(table, chosen, settings));
      });
    }
  };

  for (const table of document.querySelectorAll(".wide > table:not(.maps)")) {
    const tools = make("div", { class: "tools" });
    table.closest(".wide").before(tools);
    makeSortable(table);
    if (table.tBodies[0].rows.length > 3) makeFilter(table, tools);
    makeOrigins(table);
    const data = table.classList.contains("arms") && table.closest("section").querySelector("script.settings");
    if (data) {
      makeChoice(table, JSON.parse(data.textContent));
      if (table.tBodies[0].rows.length > 1) tools.append(make("span", { class: "hint" }, "Tick two arms or more: what differs"));
    }
  }
})();
