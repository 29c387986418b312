// The table of runs: asked for anew while one types, and what is ticked stays ticked on every page of it.
"use strict";
(() => {
  const form = document.getElementById("runs-form");
  const chosen = new Set(new URLSearchParams(location.search).getAll("a"));
  const table = () => document.getElementById("table");

  // What the form says now, and what is chosen, as an address.
  const address = () => {
    const words = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) words.append(name, value);
    for (const one of chosen) words.append("a", one);
    return words;
  };
  let asked = 0;
  const renew = () => {
    clearTimeout(asked);
    asked = setTimeout(() => {
      const words = address();
      history.replaceState(null, "", `${location.pathname}?${words}`);
      words.append("part", "table");
      htmx.ajax("GET", `${location.pathname}?${words}`, { target: "#table", swap: "morph:outerHTML", source: table() });
    }, 250);
  };
  form.addEventListener("input", renew);
  form.addEventListener("submit", (event) => { event.preventDefault(); renew(); });

  const show = () => {
    for (const box of document.querySelectorAll("#table input[type=checkbox][name=a]")) box.checked = chosen.has(box.value);
    const there = new Set([...document.querySelectorAll("#table input[type=checkbox][name=a]")].map((box) => box.value));
    for (const kept of document.querySelectorAll("#table input.kept")) kept.remove();
    const picking = document.querySelector("#table form.pick");
    if (!picking) return;
    for (const one of chosen) {
      if (there.has(one)) continue;
      const kept = document.createElement("input");
      Object.assign(kept, { type: "hidden", className: "kept", name: "a", value: one });
      picking.append(kept);
    }
    picking.querySelector(".chosen-count").textContent = chosen.size ? `${chosen.size} chosen` : "";
  };
  document.addEventListener("change", (event) => {
    if (!event.target.matches("#table input[type=checkbox][name=a]")) return;
    if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
    const words = new URLSearchParams(location.search);
    words.delete("a");
    for (const one of chosen) words.append("a", one);
    history.replaceState(null, "", `${location.pathname}?${words}`);
    show();
  });
  // Links within the table take along what is chosen.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#table a[href*='runs?']");
    if (!link) return;
    const there = new URL(link.href);
    there.searchParams.delete("a");
    for (const one of chosen) there.searchParams.append("a", one);
    link.href = there.href;
  });
  document.addEventListener("htmx:afterSwap", show);
  show();
})();
