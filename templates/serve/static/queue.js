// The page of the queue: keeps what is chosen while its parts are put anew, asks for progress while something runs.
"use strict";

const chosen = new Set();
const BEAT = 2000; // ms between looks at how far what runs is: no event tells of a heartbeat

function boxes() {
  return document.querySelectorAll("main input[type=checkbox][name=id]");
}

function showChosen() {
  for (const box of boxes()) box.checked = chosen.has(box.value);
  const count = document.querySelectorAll("main input[type=checkbox][name=id]:checked").length;
  document.getElementById("chosen").hidden = count === 0;
  document.getElementById("chosen-count").textContent = `${count} chosen`;
}

document.addEventListener("change", (event) => {
  if (!event.target.matches("main input[type=checkbox][name=id]")) return;
  if (event.target.checked) chosen.add(event.target.value);
  else chosen.delete(event.target.value);
  showChosen();
});
document.addEventListener("htmx:afterSwap", showChosen);
document.addEventListener("htmx:beforeSwap", (event) => {
  // A log that is being read is not closed.
  if (event.detail.target.querySelector("details[open]")) event.detail.shouldSwap = false;
});

setInterval(() => {
  if (!document.hidden && document.querySelector("[data-beats]")) htmx.trigger(document.body, "beat");
}, BEAT);

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("choose-none").addEventListener("click", () => {
    chosen.clear();
    showChosen();
  });
  showChosen(); // a browser that goes back remembers ticks of its own
});
