// Curves: every <figure class="curve" data-curve="ADDRESS"> becomes a chart of what ADDRESS answers. Take it into a page
// by <script defer src="{{ root }}static/charts.js"></script> inside its block `main`. ADDRESS answers with JSON:
//
//   {"title": "Validation accuracy",         the heading, and the chart's name for who does not see it
//    "x": "epoch", "y": "%",                 what the axes count; charts of one page with the same x share their cursor
//    "series": [{"name": "proposed", "x": [1, 2], "y": [61.2, 63.0],    in the order of the arms, which colours follow;
//                "low": [60.1, 62.2], "high": [62.0, 63.9],             x ascends; null in y is a gap; a band is optional,
//                "colour": 3}],                                         and so is the place in the palette
//    "band": "lowest to highest seed",       what bands are; optional
//    "marks": [{"x": 2, "name": "pruned"}],  lines across; optional
//    "notes": ["..."],                       sentences below; optional
//    "empty": "...",                         what to say while there is nothing; optional
//    "cursor": "..."}                        what is sent back as the word `cursor` to be told only what is new; optional
//
// or, where it was asked with a cursor, {"cursor": "...", "more": [{"at": 0, "x": [3], "y": [64.1]}]}: what comes behind
// the series `at`.
//
// Attributes of the figure: data-on="results points" names the events on which it is asked for anew (none by default),
// data-smooth="0.6" smooths from the start; every <input type="range" data-smooths> in the page smooths all of them.
// It is asked for when it comes into sight, keeps its zoom and its chosen series, and is left alone by live parts.
"use strict";
(() => {
  // The report's colours (Petroff 2021); dark ones are lighter on a dark ground. Dashes tell series apart without colour.
  const LIGHT = ["#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"];
  const DARK = ["#5aa5e8", "#ffa90e", "#f0644c", "#a9b8b6", "#b986e0", "#c98f7d", "#f58a3c", "#c9bd86", "#979ba8", "#92dadd"];
  const DASHES = [[], [9, 4], [2, 3], [9, 3, 2, 3], [14, 4], [5, 5], [14, 3, 2, 3, 2, 3]];
  const HEIGHT = 260, ROWS = 200, PAUSE = 1000;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => dark.matches && !isPrinted;
  let isPrinted = false;

  const make = (name, about = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(about)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };
  const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });
  const write = (value) => (value === null || value === undefined ? "–" : number.format(value));
  const tint = (colour, share) => colour + Math.round(share * 255).toString(16).padStart(2, "0");
  const paint = (series, at) => (isDark() ? DARK : LIGHT)[(series.colour ?? at) % LIGHT.length];
  const dash = (series, at) => DASHES[(series.colour ?? at) % DASHES.length];

  // The exponential moving average, free of the bias towards its start; gaps stay gaps.
  const smoothed = (values, weight) => {
    let sum = 0, share = 0;
    return values.map((value) => {
      if (value === null) return null;
      sum = weight * sum + (1 - weight) * value;
      share = weight * share + (1 - weight);
      return sum / share;
    });
  };

  // uPlot wants one x for all: columns of each series are y, low, high and, where it is smoothed, what it was.
  const columns = (told, weight) => {
    const tables = told.series.map((one) => {
      const none = one.y.map(() => null);
      return [one.x, weight ? smoothed(one.y, weight) : one.y, one.low || none, one.high || none, weight ? one.y : none];
    });
    return uPlot.join(tables);
  };

  const options = (chart, width) => {
    const style = getComputedStyle(document.body);
    const [ink, line] = isPrinted ? ["#1c2127", "#dde2e7"] : [style.color, style.getPropertyValue("--line").trim()];
    const { told } = chart;
    const series = [{ label: told.x }], bands = [];
    told.series.forEach((one, at) => {
      const colour = paint(one, at), show = !chart.hidden.has(one.name);
      const thin = { show, points: { show: false }, width: 0, stroke: "transparent" };
      const isShort = one.x.length < 2;
      series.push({ label: one.name, show, stroke: colour, width: 2, dash: dash(one, at), points: isShort ? { show: true, size: 7, fill: colour } : { show: one.x.length < 25, size: 5 } });
      series.push({ ...thin }, { ...thin }, { ...thin, width: 1, stroke: tint(colour, 0.35) });
      if (one.low) bands.push({ series: [4 * at + 3, 4 * at + 2], fill: tint(colour, 0.18) });
    });
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 18 };
    const cut = (u, values) => values.map((value) => (value === null ? "" : number.format(value)));
    // There is no half epoch to name.
    const whole = ["epoch", "step"].includes(told.x) ? { incrs: Array.from({ length: 36 }, (_, at) => [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3)) } : {};
    return {
      width, height: HEIGHT, series, bands, legend: { show: false },
      scales: { x: { time: false }, y: { distr: chart.isLog ? 3 : 1 } },
      axes: [{ ...axis, ...whole, label: told.x, size: 34, values: cut }, { ...axis, label: told.y || undefined, size: 58, values: cut }],
      cursor: { sync: { key: `x ${told.x}` }, drag: { x: true, y: false }, points: { size: 7 }, focus: { prox: 24 } },
      focus: { alpha: 0.35 },
      hooks: { setCursor: [(u) => readOut(chart, u.cursor.idx)], setScale: [(u, key) => { if (key === "x") noteZoom(chart, u); }], draw: [(u) => drawMarks(u, told.marks || [], ink)] },
    };
  };

  const drawMarks = (u, marks, ink) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = ink;
    ctx.setLineDash([4, 4]);
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    for (const mark of marks) {
      const x = Math.round(u.valToPos(mark.x, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const isRight = x > bbox.left + 0.8 * bbox.width;
      ctx.textAlign = isRight ? "right" : "left";
      ctx.fillText(mark.name, x + (isRight ? -4 : 4) * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
    }
    ctx.restore();
  };

  const noteZoom = (chart, u) => {
    const xs = u.data[0];
    const { min, max } = u.scales.x;
    chart.isZoomed = xs.length > 1 && (min > xs[0] || max < xs[xs.length - 1]);
    chart.reset.hidden = !chart.isZoomed;
  };

  // What stands at the cursor, in the legend for eyes and in the slider's value for ears.
  const readOut = (chart, at) => {
    const { data } = chart.plot;
    const isAt = at !== null && at !== undefined && at < data[0].length;
    const said = [];
    chart.told.series.forEach((one, k) => {
      const value = isAt ? data[4 * k + 1][at] : null;
      chart.values[k].textContent = isAt && value !== undefined ? write(value) : "";
      if (isAt && value !== null && value !== undefined && !chart.hidden.has(one.name)) said.push(`${one.name} ${write(value)}`);
    });
    chart.where.textContent = isAt ? `${chart.told.x} ${write(data[0][at])}` : "";
    if (!isAt) return;
    chart.place.setAttribute("aria-valuenow", at);
    chart.place.setAttribute("aria-valuetext", `${chart.told.x} ${write(data[0][at])}: ${said.join(", ") || "nothing"}`);
  };

  const moveTo = (chart, at) => {
    const u = chart.plot, xs = u.data[0];
    const index = Math.max(0, Math.min(xs.length - 1, at));
    u.setCursor({ left: u.valToPos(xs[index], "x"), top: u.over.clientHeight / 2 });
  };
  const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
  const pressKey = (chart, event) => {
    const u = chart.plot;
    if (!u || !u.data[0].length) return;
    const at = u.cursor.idx ?? -1;
    if (event.key in STEPS) moveTo(chart, at + STEPS[event.key]);
    else if (event.key === "Home") moveTo(chart, 0);
    else if (event.key === "End") moveTo(chart, u.data[0].length - 1);
    else if (event.key === "Escape") showAll(chart);
    else return;
    event.preventDefault();
  };
  const showAll = (chart) => {
    const xs = chart.plot.data[0];
    chart.plot.setScale("x", { min: xs[0], max: xs[xs.length - 1] });
  };

  const swatch = (series, at) => {
    const space = "http://www.w3.org/2000/svg";
    const image = document.createElementNS(space, "svg"), stroke = document.createElementNS(space, "line");
    for (const [key, value] of Object.entries({ width: 34, height: 10, "aria-hidden": "true", focusable: "false" })) image.setAttribute(key, value);
    const about = { x1: 0, x2: 34, y1: 5, y2: 5, stroke: paint(series, at), "stroke-width": 3, "stroke-dasharray": dash(series, at).join(" ") || "none" };
    for (const [key, value] of Object.entries(about)) stroke.setAttribute(key, value);
    image.append(stroke);
    return image;
  };

  const drawLegend = (chart) => {
    chart.values = [];
    const items = chart.told.series.map((one, at) => {
      const value = make("span", { class: "value" });
      chart.values.push(value);
      const button = make("button", { type: "button", "aria-pressed": String(!chart.hidden.has(one.name)), title: "show or hide" }, swatch(one, at), make("span", { class: "name" }, one.name), value);
      button.addEventListener("click", () => toggle(chart, one.name, at, button));
      button.addEventListener("pointerenter", () => chart.plot && chart.plot.setSeries(4 * at + 1, { focus: true }));
      button.addEventListener("pointerleave", () => chart.plot && chart.plot.setSeries(null, { focus: true }));
      return make("li", {}, button);
    });
    chart.legend.replaceChildren(...items);
  };
  const toggle = (chart, name, at, button) => {
    if (!chart.hidden.delete(name)) chart.hidden.add(name);
    const show = !chart.hidden.has(name);
    button.setAttribute("aria-pressed", String(show));
    for (const part of [1, 2, 3, 4]) chart.plot.setSeries(4 * at + part, { show });
  };

  // The same values as a table, made when it is opened; of long curves as many rows as a person reads.
  const fillTable = (chart) => {
    if (!chart.table.open || !chart.told) return;
    const data = columns(chart.told, 0), names = chart.told.series.map((one) => one.name);
    const every = Math.max(1, Math.ceil(data[0].length / ROWS));
    const rows = [];
    for (let at = 0; at < data[0].length; at += every) {
      const cells = names.map((name, k) => {
        const [value, low, high] = [data[4 * k + 1][at], data[4 * k + 2][at], data[4 * k + 3][at]];
        const band = low === null || low === undefined ? "" : ` [${write(low)}, ${write(high)}]`;
        return make("td", { "data-label": name }, write(value) + band);
      });
      rows.push(make("tr", {}, make("th", { scope: "row" }, write(data[0][at])), ...cells));
    }
    const heads = [chart.told.x, ...names].map((name) => make("th", { scope: "col" }, name));
    const unit = chart.told.y ? ` [${chart.told.y}]` : "";
    const about = every > 1 ? `; every ${every}th of ${data[0].length} points` : "";
    const table = make("table", {}, make("caption", {}, `${chart.told.title}${unit}${about}`), make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
    const wide = make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `values of ${chart.told.title}` }, table);
    chart.table.replaceChildren(chart.table.firstElementChild, wide);
  };

  const draw = (chart) => {
    const { told } = chart;
    const points = told.series.reduce((sum, one) => sum + one.x.length, 0);
    const kept = chart.plot && chart.isZoomed ? { ...chart.plot.scales.x } : null;
    if (chart.plot) chart.plot.destroy();
    chart.plot = null;
    chart.title.textContent = told.title;
    chart.place.hidden = chart.tools.hidden = chart.table.hidden = !points;
    chart.state.textContent = points ? "" : told.empty || "Nothing of it has been logged yet.";
    chart.notes.replaceChildren(...[...(told.band && points ? [`Bands: ${told.band}.`] : []), ...(told.notes || [])].map((note) => make("li", {}, note)));
    if (!points) { chart.legend.replaceChildren(); return; }
    chart.logs.hidden = told.series.some((one) => one.y.some((value) => value !== null && value <= 0) || (one.low || []).some((value) => value !== null && value <= 0));
    if (chart.logs.hidden) chart.isLog = false;
    drawLegend(chart);
    chart.place.setAttribute("aria-label", `${told.title} by ${told.x}: the arrow keys read its values`);
    const data = columns(told, chart.weight);
    chart.place.setAttribute("aria-valuemax", Math.max(data[0].length - 1, 0));
    chart.plot = new uPlot(options(chart, Math.max(chart.place.clientWidth, 200)), data, chart.place);
    if (kept) chart.plot.setScale("x", { min: kept.min, max: kept.max });
    fillTable(chart);
  };

  // What is new goes behind what is drawn; the last value of a place is its value.
  const grow = (chart, { cursor, more }) => {
    chart.told.cursor = cursor;
    if (!more.length) return;
    for (const { at, x, y } of more) {
      const series = chart.told.series[at];
      while (series.x.length && series.x[series.x.length - 1] >= x[0]) { series.x.pop(); series.y.pop(); }
      series.x = series.x.concat(x);
      series.y = series.y.concat(y);
    }
    draw(chart);
  };

  const load = async (chart) => {
    chart.isDue = false;
    chart.last = Date.now();
    try {
      const address = chart.figure.dataset.curve;
      const cursor = chart.told && chart.address === address ? chart.told.cursor : "";
      const found = await fetch(cursor ? `${address}&cursor=${encodeURIComponent(cursor)}` : address, { headers: { accept: "application/json" } });
      if (!found.ok) throw new Error(`the server answered ${found.status}`);
      const told = await found.json();
      if (told.more) grow(chart, told);
      else {
        chart.told = told;
        chart.address = address;
        draw(chart);
      }
    } catch (error) {
      const again = make("button", { type: "button", class: "plain" }, "Try again");
      again.addEventListener("click", () => load(chart));
      chart.state.replaceChildren(`These values could not be read: ${error.message}. `, again);
    }
  };

  // Asked for when it is in sight, and at most once in a while.
  const refresh = (chart) => {
    chart.isDue = true;
    if (!chart.isSeen || chart.waits) return;
    chart.waits = setTimeout(() => {
      chart.waits = 0;
      if (chart.isSeen && chart.isDue) load(chart);
    }, Math.max(0, PAUSE - (Date.now() - (chart.last || 0))));
  };

  const charts = new Map();
  const begin = (figure) => {
    const title = make("strong"), where = make("span", { class: "where" });
    const reset = make("button", { type: "button", class: "plain" }, "Show all");
    const box = make("input", { type: "checkbox" });
    const logs = make("label", {}, box, " log scale");
    const tools = make("div", { class: "tools" }, where, reset, logs);
    const place = make("div", { class: "place", tabindex: "0", role: "slider", "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "no point chosen", "aria-label": "curve" });
    const state = make("p", { class: "state", role: "status" }, "Reading…");
    const legend = make("ul", { class: "legend" }), notes = make("ul", { class: "notes" });
    const table = make("details", { class: "values" }, make("summary", {}, "Values as a table"));
    reset.hidden = tools.hidden = place.hidden = table.hidden = true;
    const chart = { figure, title, where, reset, logs, tools, place, state, legend, notes, table, hidden: new Set(), values: [], isLog: false, weight: Number(figure.dataset.smooth) || 0 };
    const slider = document.querySelector("input[data-smooths]");
    if (slider) chart.weight = Number(slider.value) || 0;
    figure.replaceChildren(make("figcaption", {}, title), tools, state, place, legend, notes, table);
    reset.addEventListener("click", () => showAll(chart));
    box.addEventListener("change", () => { chart.isLog = box.checked; draw(chart); });
    place.addEventListener("keydown", (event) => pressKey(chart, event));
    table.addEventListener("toggle", () => fillTable(chart));
    charts.set(figure, chart);
    new ResizeObserver(() => {
      if (chart.plot && Math.abs(chart.plot.width - place.clientWidth) > 1) chart.plot.setSize({ width: Math.max(place.clientWidth, 200), height: HEIGHT });
    }).observe(figure);
    new IntersectionObserver((seen) => {
      chart.isSeen = seen.some((one) => one.isIntersecting);
      if (chart.isSeen && (chart.isDue || !chart.told)) refresh(chart);
    }, { rootMargin: "300px" }).observe(figure);
  };

  const look = () => {
    for (const [figure, chart] of charts) {
      if (figure.isConnected) continue;
      if (chart.plot) chart.plot.destroy();
      charts.delete(figure);
    }
    for (const figure of document.querySelectorAll("figure[data-curve]")) if (!charts.has(figure)) begin(figure);
  };
  const redraw = () => charts.forEach((chart) => { if (chart.told) draw(chart); });

  document.addEventListener("DOMContentLoaded", () => {
    // A live part that is put in the place of the old one has figures without charts: the drawn ones stay.
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) => {
      if (!charts.has(old)) return true;
      const isSame = fresh.dataset && fresh.dataset.curve === old.dataset.curve;
      if (!isSame && fresh.dataset && fresh.dataset.curve) {
        old.dataset.curve = fresh.dataset.curve;
        refresh(charts.get(old));
      }
      return false;
    };
    look();
  });
  document.addEventListener("htmx:afterSettle", look);
  for (const name of ["queue", "results", "points"]) {
    document.addEventListener(name, () => charts.forEach((chart) => {
      if ((chart.figure.dataset.on || "").split(" ").includes(name)) refresh(chart);
    }));
  }
  document.addEventListener("input", (event) => {
    if (!event.target.matches("input[data-smooths]")) return;
    charts.forEach((chart) => { chart.weight = Number(event.target.value) || 0; });
    cancelAnimationFrame(redraw.asked);
    redraw.asked = requestAnimationFrame(redraw);
  });
  dark.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => { isPrinted = true; redraw(); });
  window.addEventListener("afterprint", () => { isPrinted = false; redraw(); });
})();
