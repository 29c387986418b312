// The page of comparisons: a choice is shown at once, and the address says all of it.
"use strict";
(() => {
  const form = document.getElementById("compare-form");
  const words = () => {
    const told = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value && !(name === "smooth" && value === "0")) told.append(name, value);
    // What is no longer compared is nothing to compare with either.
    if (!told.getAll("a").includes(told.get("b"))) told.delete("b");
    return told;
  };
  const address = () => `${location.pathname}?${words()}`;
  form.addEventListener("change", (event) => {
    // Smoothing is the browser's own; all else is the server's to say.
    if (event.target.name === "smooth") history.replaceState(null, "", address());
    else location.assign(address());
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(address());
  });
})();
