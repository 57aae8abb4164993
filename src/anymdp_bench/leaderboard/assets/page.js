"use strict";
const byId = (id) => document.getElementById(id);
const curves = JSON.parse(byId("curves").textContent);
const SVG = "http://www.w3.org/2000/svg";

// Sorting: every entry is a tbody, so that its details travel with it.
function keyOf(entry, column, kind) {
  const cell = entry.rows[0].cells[column];
  if (kind === "number") {
    return cell.dataset.key === "" ? Infinity : Number(cell.dataset.key);
  }
  return cell.textContent.trim();
}
const words = new Intl.Collator("en", { numeric: true });
function sort(table, heading, kind) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const each of table.querySelectorAll("thead th[aria-sort]")) each.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  const column = heading.cellIndex;
  const entries = [...table.tBodies].map((entry) => [keyOf(entry, column, kind), entry]);
  entries.sort(([a], [b]) => direction * (kind === "number" ? (a === b ? 0 : a < b ? -1 : 1) : words.compare(a, b)));
  table.append(...entries.map(([, entry]) => entry));
}
for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.querySelectorAll("thead button")) {
    button.addEventListener("click", () => sort(table, button.closest("th"), button.dataset.kind));
  }
}

// Filtering. The over-all table has no family, since a suite spans several.
const form = byId("filters");
function filter() {
  const wanted = { suite: byId("suite").value, family: byId("family").value, context: byId("context").value };
  const text = byId("text").value.trim().toLowerCase();
  const checked = byId("checked").checked;
  let shown = 0;
  let all = 0;
  for (const entry of document.querySelectorAll("tbody.entry")) {
    const data = entry.dataset;
    const match = Object.entries(wanted).every(([key, value]) => !value || data[key] === undefined || data[key] === value);
    entry.hidden = !(match && (!checked || data.checked === "1") && data.text.includes(text));
    if (data.family !== undefined) {
      all += 1;
      shown += entry.hidden ? 0 : 1;
    }
  }
  byId("count").textContent = `${shown} of ${all} results`;
  byId("nothing").hidden = shown > 0;
}
form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));
filter();

// Learning curves, drawn when first asked for.
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
const WIDTH = 640, HEIGHT = 300, LEFT = 44, RIGHT = 12, TOP = 10, BOTTOM = 40;
function draw(figure) {
  const known = curves[figure.dataset.curves].filter((curve) => curve.at.length);
  if (!known.length) return;
  const first = Math.log10(Math.max(1, Math.min(...known.map((curve) => curve.at[0]))));
  const last = Math.max(Math.log10(Math.max(...known.map((curve) => curve.at.at(-1)))), first + 0.1);
  const low = Math.min(0, ...known.flatMap((curve) => curve.mean));
  const floor = Math.max(-1, Math.floor(low * 5) / 5);
  const x = (value) => LEFT + (WIDTH - LEFT - RIGHT) * (Math.log10(Math.max(value, 1)) - first) / (last - first);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1.05 - Math.min(Math.max(value, floor), 1.05)) / (1.05 - floor);
  const legend = known.map((curve) => `${curve.label}: ${(100 * curve.mean.at(-1)).toFixed(1)}% at ${Math.round(curve.at.at(-1))} steps`);
  const svg = add(figure, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 20 * known.length}`, role: "img", "aria-label": `Final values: ${legend.join("; ")}` });
  for (let tick = Math.ceil(floor / 0.5) * 0.5; tick <= 1; tick += 0.5) {
    add(svg, "path", { class: tick === 1 ? "oracle" : "axis", d: `M${LEFT} ${y(tick)}H${WIDTH - RIGHT}` });
    add(svg, "text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, `${100 * tick}%`);
  }
  for (let power = Math.ceil(first - 1e-9); power <= last + 1e-9; power += 1) {
    const at = x(10 ** power);
    add(svg, "path", { class: "axis", d: `M${at} ${TOP}V${HEIGHT - BOTTOM}` });
    add(svg, "text", { x: at, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, short(10 ** power));
  }
  add(svg, "text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "steps (log scale)");
  known.forEach((curve, index) => {
    const style = index % 6;
    const points = curve.at.map((value, k) => [x(value), y(curve.mean[k])]);
    const has = curve.at.map((_, k) => k).filter((k) => curve.low[k] !== null);
    if (has.length > 1) {
      const edge = [...has.map((k) => [x(curve.at[k]), y(curve.high[k])]), ...has.reverse().map((k) => [x(curve.at[k]), y(curve.low[k])])];
      add(svg, "path", { class: `area f${style}`, d: `M${edge.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L")}Z` });
    }
    const own = curve.label === figure.dataset.label ? " own" : "";
    add(svg, "path", { class: `curve s${style}${own}`, d: `M${points.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L")}` });
    const line = HEIGHT + 20 * index + 6;
    add(svg, "path", { class: `curve s${style}${own}`, d: `M${LEFT} ${line}h30` });
    add(svg, "text", { x: LEFT + 38, y: line + 4 }, legend[index]);
  });
}
for (const button of document.querySelectorAll("button.more")) {
  button.addEventListener("click", () => {
    const details = byId(button.getAttribute("aria-controls"));
    details.hidden = !details.hidden;
    button.setAttribute("aria-expanded", String(!details.hidden));
    const figure = details.querySelector("figure");
    if (!figure.querySelector("svg")) draw(figure);
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
