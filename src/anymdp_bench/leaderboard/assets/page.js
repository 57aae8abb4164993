"use strict";
const byId = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const curves = JSON.parse(byId("curves").textContent);
const SVG = "http://www.w3.org/2000/svg";

// Cards on a phone: each cell bears its column's name. Roles, since some browsers forget those of a table that is drawn as blocks.
for (const table of all("table.cards")) {
  const heads = all("thead th", table);
  table.setAttribute("role", "table");
  for (const each of all("thead, tbody", table)) each.setAttribute("role", "rowgroup");
  for (const row of all("tr", table)) row.setAttribute("role", "row");
  for (const head of heads) {
    head.setAttribute("role", "columnheader");
    head.setAttribute("aria-sort", "none");
  }
  for (const entry of table.tBodies) {
    [...entry.rows[0].cells].forEach((cell, k) => {
      cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
      cell.dataset.label = heads[k].textContent;
      cell.classList.toggle("extra", heads[k].classList.contains("extra"));
    });
  }
}

// Sorting: every entry is a tbody, so that its details travel with it. What has no number comes last either way.
const words = new Intl.Collator("en", { numeric: true });
const sorted = {}; // by table: the number of a column and a direction
const order = all("table.sortable").map((table) => [table, [...table.tBodies]]); // the best first
function sort(table, column, direction) {
  const heading = table.tHead.rows[0].cells[column];
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", direction);
  const isNumber = heading.firstChild.dataset.kind === "number", way = direction === "ascending" ? 1 : -1;
  const key = (entry) => {
    const cell = entry.rows[0].cells[column];
    return isNumber ? (cell.dataset.key === "" ? way * Infinity : Number(cell.dataset.key)) : cell.textContent.trim();
  };
  const entries = [...table.tBodies].map((entry) => [key(entry), entry]);
  entries.sort(([a], [b]) => way * (isNumber ? (a === b ? 0 : a < b ? -1 : 1) : words.compare(a, b)));
  table.append(...entries.map(([, entry]) => entry));
  sorted[table.id] = [column, direction];
}
for (const button of all("table.sortable thead button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th"), now = heading.ariaSort, first = button.dataset.first;
    const other = first === "ascending" ? "descending" : "ascending";
    sort(button.closest("table"), heading.cellIndex, now === first ? other : first);
    keep();
  });
}

// Filtering. The table of agents has no family, since a suite spans several.
const form = byId("filters");
const CHOICES = ["suite", "family", "measure", "context"], CHECKS = ["verified", "untuned"];
function filter() {
  const text = byId("text").value.trim().toLowerCase();
  const shown = { agents: 0, rows: 0 }, total = { agents: 0, rows: 0 };
  for (const entry of all("tbody.entry")) {
    const data = entry.dataset, table = entry.parentNode.id;
    entry.hidden = !(CHOICES.every((key) => !byId(key).value || data[key] === undefined || data[key] === byId(key).value)
      && (!byId("verified").checked || "verified" in data) && (!byId("untuned").checked || !("tuned" in data))
      && (data.text.includes(text) || (table === "agents" && environments(entry).some((name) => name.includes(text)))));
    total[table] += 1;
    shown[table] += entry.hidden ? 0 : 1;
  }
  byId("count").textContent = `${shown.agents} of ${total.agents} submissions, ${shown.rows} of ${total.rows} results`;
  byId("rows").classList.toggle("one-suite", byId("suite").value !== "");
  byId("nothing").hidden = shown.rows > 0;
}
function environments(entry) {
  return all("figure figcaption", entry).map((caption) => caption.textContent.toLowerCase());
}
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => { filter(); keep(); });
form.addEventListener("reset", () => setTimeout(() => { filter(); keep(); }));

// A row that opens: that of an agent holds its details already, that of an environment gets them when first opened.
function open(entry, wanted) {
  const button = entry.querySelector("button.more"), details = entry.rows[1] || describe(entry);
  details.hidden = !wanted;
  button.setAttribute("aria-expanded", String(wanted));
  entry.classList.toggle("open", wanted);
  if (wanted) for (const figure of all("figure", details)) if (!figure.querySelector("svg")) draw(figure);
}
function describe(entry) {
  const row = entry.rows[0], data = row.dataset, source = all("#agents tbody").find((each) => each.dataset.key === data.file);
  const label = entry.querySelector("button.more").textContent;
  const details = entry.insertRow(), cell = details.insertCell(), figure = document.createElement("figure");
  details.className = "details";
  cell.colSpan = row.cells.length;
  Object.assign(figure.dataset, { curves: data.curves, label, legend: "" });
  figure.innerHTML = "<figcaption></figcaption>";
  figure.firstChild.textContent = `Smoothed score against steps, mean and 95% interval over runs: ${data.curves}`;
  const regret = document.createElement("p");
  regret.textContent = `Cumulative regret, exact, mean over runs: ${data.regret}.`;
  cell.append(figure, regret, source.querySelector("dl").cloneNode(true));
  link(entry, details);
  return details;
}
function link(entry, details) {
  details.id = `details-${all("tbody.entry").indexOf(entry)}`;
  entry.querySelector("button.more").setAttribute("aria-controls", details.id);
}
for (const entry of all("tbody.entry")) {
  if (entry.rows[1]) {
    entry.rows[1].hidden = true;
    link(entry, entry.rows[1]);
  }
  entry.rows[0].addEventListener("click", (event) => {
    const pressed = event.target.closest("a, button");
    if (pressed && !pressed.matches(".more") || String(getSelection())) return;
    open(entry, !entry.classList.contains("open"));
    keep();
  });
}

// The address keeps what is shown: filters that differ from the first view, order and open rows.
const NAMES = [...CHOICES, ...CHECKS, "text", "sort", "open"];
const first = Object.fromEntries(CHOICES.map((key) => [key, byId(key).value]));
function keep() {
  const state = new URLSearchParams();
  for (const key of CHOICES) if (byId(key).value !== first[key]) state.set(key, byId(key).value || "all");
  for (const key of CHECKS) if (byId(key).checked) state.set(key, "1");
  if (byId("text").value) state.set("text", byId("text").value);
  for (const [table, [column, direction]] of Object.entries(sorted)) state.append("sort", `${table},${column},${direction}`);
  for (const entry of all("tbody.open")) state.append("open", entry.dataset.key);
  history.replaceState(null, "", `#${state}`);
}
function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  if (location.hash && !NAMES.some((name) => state.has(name))) return; // a place on the page, no state
  for (const key of CHOICES) {
    const wanted = state.get(key) === "all" ? "" : state.get(key) ?? first[key];
    byId(key).value = [...byId(key).options].some((option) => option.value === wanted) ? wanted : first[key];
  }
  for (const key of CHECKS) byId(key).checked = state.get(key) === "1";
  byId("text").value = state.get("text") ?? "";
  for (const [table, entries] of order) {
    table.append(...entries);
    delete sorted[table.id];
    for (const heading of table.tHead.rows[0].cells) heading.setAttribute("aria-sort", "none");
  }
  for (const each of state.getAll("sort")) {
    const [name, column, direction] = each.split(","), table = all("table.sortable").find((one) => one.id === name);
    if (table && table.tHead.rows[0].cells[column] && ["ascending", "descending"].includes(direction)) sort(table, Number(column), direction);
  }
  const wanted = state.getAll("open");
  for (const entry of all("tbody.entry")) {
    const is = wanted.includes(entry.dataset.key);
    if (is !== entry.classList.contains("open")) open(entry, is);
  }
  filter();
}
window.addEventListener("hashchange", restore);
filter();

// Learning curves, drawn when first asked for: large with a legend, or small with the other agents in grey.
function add(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}
function short(value) {
  if (value < 1000) return String(value);
  return value < 1e6 ? `${value / 1e3}K` : `${value / 1e6}M`;
}
const line = (points) => `M${points.map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L")}`;
function draw(figure) {
  const isLarge = "legend" in figure.dataset;
  const broad = figure.clientWidth < 480 ? 340 : 640; // text keeps its size on a phone
  const [width, height, left, right, top, bottom] = isLarge ? [broad, 300, 48, 12, 10, 40] : [300, 170, 44, 10, 8, 24];
  const known = curves[figure.dataset.curves].filter((curve) => curve.at.length);
  if (!known.length) return;
  const isOwn = (curve) => curve.label === figure.dataset.label;
  const from = Math.log10(Math.max(1, Math.min(...known.map((curve) => curve.at[0]))));
  const to = Math.max(Math.log10(Math.max(...known.map((curve) => curve.at.at(-1)))), from + 0.1);
  const floor = Math.max(-1000, Math.floor(Math.min(0, ...known.flatMap((curve) => curve.mean)) / 200) * 200);
  const x = (value) => left + (width - left - right) * (Math.log10(Math.max(value, 1)) - from) / (to - from);
  const y = (value) => top + (height - top - bottom) * (1050 - Math.min(Math.max(value, floor), 1050)) / (1050 - floor);
  const legend = known.map((curve) => `${curve.label}: ${(curve.mean.at(-1) / 10).toFixed(1)}% at ${curve.at.at(-1).toLocaleString("en")} steps`);
  const said = isLarge ? legend : legend.filter((_, k) => isOwn(known[k]));
  const svg = add(figure, "svg", { viewBox: `0 0 ${width} ${height + (isLarge ? 20 * known.length : 0)}`, role: "img", "aria-label": `Final values: ${said.join("; ")}` });
  for (let tick = Math.ceil(floor / 500) * 500; tick <= 1000; tick += 500) {
    add(svg, "path", { class: tick === 1000 ? "oracle" : "axis", d: `M${left} ${y(tick)}H${width - right}` });
    add(svg, "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, `${tick / 10}%`);
  }
  for (let power = Math.ceil(from - 1e-9); power <= to + 1e-9; power += 1) {
    const at = x(10 ** power);
    add(svg, "path", { class: "axis", d: `M${at} ${top}V${height - bottom}` });
    add(svg, "text", { x: at, y: height - bottom + 16, "text-anchor": at > width - 30 ? "end" : "middle" }, short(10 ** power));
  }
  if (isLarge) add(svg, "text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle" }, "steps (log scale)");
  known.map((curve, index) => [curve, index]).sort(([a], [b]) => isOwn(a) - isOwn(b)).forEach(([curve, index]) => {
    const style = index % 8, own = isOwn(curve);
    const look = isLarge ? `s${style}${own ? " own" : ""}` : own ? "s0 own" : "other";
    const has = curve.at.map((_, k) => k).filter((k) => curve.low[k] !== null);
    if (has.length > 1 && (isLarge || own)) {
      const edge = [...has.map((k) => [x(curve.at[k]), y(curve.high[k])]), ...has.reverse().map((k) => [x(curve.at[k]), y(curve.low[k])])];
      add(svg, "path", { class: `area f${isLarge ? style : 0}`, d: `${line(edge)}Z` });
    }
    add(svg, "path", { class: `curve ${look}`, d: line(curve.at.map((value, k) => [x(value), y(curve.mean[k])])) });
    if (!isLarge) return;
    const place = height + 20 * index + 6;
    add(svg, "path", { class: `curve ${look}`, d: `M${left} ${place}h30` });
    add(svg, "text", { x: left + 38, y: place + 4, class: own ? "own" : "" }, legend[index]);
  });
}

// Light and dark: the system's choice, unless the reader says otherwise for this visit.
const theme = byId("theme");
const root = document.documentElement;
const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
const name = () => { theme.textContent = dark() ? "Light mode" : "Dark mode"; };
theme.hidden = false;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
name();
restore();
