// The page that asks for the token: takes it from the address after the sign that no request carries, or from the form;
// keeps it for this tab, where orders need it, and sends it once for the cookie that reads.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("login");
  const field = form.elements.token;
  form.addEventListener("submit", () => sessionStorage.setItem("xp-token", field.value.trim()));
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!found) return;
  history.replaceState(null, "", location.pathname + location.search);
  field.value = found;
  form.requestSubmit();
});
