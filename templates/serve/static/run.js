// The log of a run: new lines as they come, earlier ones on demand. Only text is put into the page, never markup.
"use strict";
(() => {
  const log = document.getElementById("log-lines");
  if (!log) return;
  const MOST = 20000; // lines that the page keeps
  let { start, end } = { start: Number(log.dataset.start), end: Number(log.dataset.end) };
  const box = document.getElementById("log-follow");
  const ask = async (words) => (await fetch(`${log.dataset.log}&${words}`)).json();
  const isAtEnd = () => log.scrollTop + log.clientHeight > log.scrollHeight - 40;
  log.scrollTop = log.scrollHeight;

  const earlier = document.getElementById("log-earlier");
  if (earlier) earlier.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const found = await ask(`before=${start}`);
      const height = log.scrollHeight;
      log.prepend(`${found.lines.join("\n")}\n`);
      log.scrollTop += log.scrollHeight - height;
      start = found.start;
      if (!start) earlier.remove();
    } catch {
      location.href = earlier.href;
    }
  });

  if (!("open" in log.dataset)) return;
  box.closest("label").hidden = false;
  let isAsking = false;
  const look = async () => {
    if (document.hidden || !box.checked || isAsking) return;
    isAsking = true;
    try {
      const found = await ask(`after=${end}`);
      if (found.start < end && found.end < end) log.textContent = ""; // it was begun anew
      const stays = isAtEnd();
      if (found.lines.length) log.append(`${found.lines.join("\n")}\n`);
      end = found.end;
      while (log.childNodes.length > MOST) log.firstChild.remove();
      if (stays) log.scrollTop = log.scrollHeight;
    } catch { /* the line at the top of the page says that the server does not answer */ }
    isAsking = false;
  };
  setInterval(look, 1000);
})();
