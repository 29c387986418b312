// The page of an experiment: another curve without another page, where a number comes from in a dialog, a line to copy.
"use strict";
(() => {
  const choice = () => document.getElementById("curve-choice");

  // What was chosen stands in the address, so that it can be sent.
  const showCurve = () => {
    const told = new FormData(choice());
    const here = new URL(location.href);
    for (const [name, value] of told) here.searchParams.set(name, value);
    history.replaceState(null, "", here);
    const figure = document.querySelector("figure[data-curve]");
    const address = new URL(figure.dataset.curve, location.href);
    address.searchParams.set("metric", told.get("metric"));
    if (told.get("curve_cell")) address.searchParams.set("cell", told.get("curve_cell"));
    const fresh = document.createElement("figure");
    fresh.className = "curve";
    fresh.dataset.on = "results";
    fresh.dataset.curve = address.href;
    figure.replaceWith(fresh);
    choice().querySelector("a").href = address.href;
    htmx.trigger(document.body, "htmx:afterSettle"); // charts.js looks for new figures then
  };
  document.addEventListener("change", (event) => {
    if (choice() && choice().contains(event.target)) showCurve();
  });
  document.addEventListener("submit", (event) => {
    if (event.target !== choice()) return;
    event.preventDefault();
    showCurve();
  });

  // Ticked arms stay ticked when their table comes anew.
  let ticked = [];
  const ticks = () => [...document.querySelectorAll("#results input[name=a]")];
  document.addEventListener("htmx:beforeSwap", () => {
    ticked = ticks().filter((one) => one.checked).map((one) => one.closest("tr").id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const one of ticks()) if (ticked.includes(one.closest("tr").id)) one.checked = true;
  });

  document.addEventListener("click", async (event) => {
    const figure = event.target.closest("a.figure");
    if (!figure || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const address = new URL(figure.href);
    address.searchParams.set("part", "origin");
    await htmx.ajax("GET", address.pathname + address.search, { target: "#origin-body", swap: "innerHTML" });
    document.getElementById("origin").showModal();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch (error) {
      button.textContent = "Could not copy: mark the line and copy it by hand";
    }
  });
})();
