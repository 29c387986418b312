// What every page of the dashboard does: listens for changes, writes times and numbers as the reader does, sends the
// token with orders, says what an order came to. What one page alone does is in a file of its own.
"use strict";

const TOKEN = "xp-token";

// The token stands in the address after the sign that no request carries; it is kept for this tab alone.
(function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!found) return;
  sessionStorage.setItem(TOKEN, found);
  history.replaceState(null, "", location.pathname + location.search);
})();

function localise(within) {
  const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const one of within.querySelectorAll("time[datetime]")) one.textContent = when.format(new Date(one.dateTime));
  for (const one of within.querySelectorAll("data[value]")) {
    const digits = (one.textContent.split(".")[1] || "").length;
    const form = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    one.textContent = new Intl.NumberFormat(undefined, form).format(Number(one.value));
  }
}

function say(text, good) {
  const line = document.createElement("p");
  line.textContent = text;
  if (!good) line.className = "bad";
  document.getElementById("said").append(line);
  setTimeout(() => line.remove(), good ? 6000 : 20000);
}

// One stream for the page; a hidden page closes it and looks anew when it is seen again.
let stream = null;
let wasLost = false;
function listen() {
  if (stream || document.hidden) return;
  const link = document.getElementById("link");
  stream = new EventSource(document.body.dataset.live);
  stream.onopen = () => {
    link.textContent = "live";
    link.classList.remove("lost");
    if (wasLost) for (const name of NAMES) htmx.trigger(document.body, name);
    wasLost = false;
  };
  stream.onerror = () => {
    wasLost = true;
    link.textContent = "the server does not answer; trying again";
    link.classList.add("lost");
    // A stream that was refused (too many pages, no token) is not tried again by the browser itself.
    if (stream && stream.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(listen, 10000);
    }
  };
  for (const name of NAMES) {
    stream.addEventListener(name, (event) => htmx.trigger(document.body, name, { data: event.data }));
  }
}
const NAMES = ["queue", "results", "points"];

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    if (stream) stream.close();
    stream = null;
    return;
  }
  listen();
  for (const name of NAMES) htmx.trigger(document.body, name);
});

let waiting = null; // the order that the token is asked for
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb === "get") return;
  event.detail.headers["X-XP-Token"] = sessionStorage.getItem(TOKEN) || "";
});
document.addEventListener("htmx:responseError", (event) => {
  const asked = event.detail.xhr;
  if (asked.status === 401) {
    waiting = event.detail.elt;
    document.getElementById("ask-token").showModal();
  } else if (asked.status !== 422 && event.detail.requestConfig.verb !== "get") {
    say(`the server refused: ${asked.responseText.slice(0, 300)}`, false);
  }
});
document.addEventListener("said", (event) => say(event.detail.text, event.detail.good));

// A number that somebody types is not taken from under the hands; once it was taken as an order, it is let go.
document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target, typed = document.activeElement;
  const isTyping = part.matches("[data-keeps]") && part.contains(typed) && typed.matches("input[type=number]");
  if (isTyping) event.detail.shouldSwap = false;
});
document.addEventListener("said", (event) => {
  if (event.detail.good && document.activeElement.matches("input[type=number]")) document.activeElement.blur();
});
document.addEventListener("htmx:afterSwap", (event) => localise(event.detail.elt.parentNode || document));

document.addEventListener("DOMContentLoaded", () => {
  localise(document);
  listen();
  const dialog = document.getElementById("ask-token");
  dialog.addEventListener("close", () => {
    const typed = dialog.querySelector("input").value.trim();
    if (dialog.returnValue !== "use" || !typed) return;
    sessionStorage.setItem(TOKEN, typed);
    if (waiting) waiting.click();
    waiting = null;
  });
});
