// How many people: visitors, lines, zones, ways between places, and where they stood.

import { get } from "./api.js";
import { h, put, s } from "./dom.js";
import { duration, eventTime } from "./format.js";
import { locale, t, tn } from "./language.js";

const INTERVALS = [[t("{number} s", { number: 10 }), 10], [t("{number} min", { number: 1 }), 60], [t("{number} min", { number: 10 }), 600], [t("{number} h", { number: 1 }), 3600], [tn("{count} day", "{count} days", 1), 86400]];
const short = new Intl.NumberFormat(locale, { useGrouping: false, maximumFractionDigits: 1 });
const REFRESH_MS = 15000;
const [WIDTH, HEIGHT, LEFT, FOOT, TOP] = [640, 210, 40, 26, 30];

export async function page(root) {
  const body = h("div", { className: "stack" });
  const every = h("select", { "aria-label": t("Length of an interval"), onchange: () => refresh().catch(() => {}) },
    INTERVALS.map(([name, seconds]) => h("option", { value: seconds, selected: seconds === 60 }, name)));
  put(root, h("div", { className: "head" },
    h("div", { className: "grow" }, h("h1", {}, t("Counts")), h("p", {}, t("Each person counts once, whichever cameras see them. Corrections count at once."))), every), body);

  async function refresh() {
    if (document.hidden) return;
    const [{ rows }, heat] = await Promise.all([get(`counts?every=${every.value}`), get("counts/heat")]);
    put(body, rows.length ? charts(rows, heat) : h("div", { className: "empty" }, t("Nobody was seen yet.")));
  }

  const timer = setInterval(() => refresh().catch(() => {}), REFRESH_MS);
  await refresh();
  return () => clearInterval(timer);
}

function charts(rows, heat) {
  const of = (kind) => rows.filter((row) => row.kind === kind);
  const places = (kind) => [...new Set(of(kind).map((row) => row.place))].sort();
  const series = (kind, place, name) => of(kind).filter((row) => row.place === place).map((row) => ({ at: row.since, value: row[name] }));
  const label = eventTime;
  const zones = places("zone").length ? "zone" : "camera";
  return h("div", { className: "pack" },
    card(t("Different people, with the interval that holds the true number 95 times of 100"), band(of("visitors"), label)),
    places("line").map((place) => card(t("Across {line}", { line: place }), bars(["left_to_right", "right_to_left"].map((name) => series("line", place, name)), label, [t("from left to right"), t("from right to left")]))),
    places(zones).map((place) => card(t("In {place}", { place }),
      lines([series(zones, place, "mean"), series(zones, place, "most")], label, [t("people, mean (length of a queue)"), t("most at once")]),
      lines([series(zones, place, "dwell_p50_s"), series(zones, place, "dwell_p95_s")], label, [t("seconds, half of the people (waiting)"), t("95 of 100")]))),
    matrix(t("Ways between zones"), of("zone_flow")), matrix(t("Ways between cameras"), of("flow")),
    Object.entries(heat.planes).map(([plane, cells]) => heatMap(plane, cells, heat)));
}

function card(title, ...plots) {
  return h("section", { className: "card plot" }, h("h2", {}, title), plots);
}

// Scales of a plot: x by time, y by value, with its axis and labels.
function frame(times, most, label) {
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const x = (at) => LEFT + (last > first ? (at - first) / (last - first) : 0.5) * (WIDTH - LEFT - 44) + 4;
  const top = Math.max(1, most);
  const y = (value) => HEIGHT - FOOT - (value / top) * (HEIGHT - FOOT - TOP);
  const axis = [
    s("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - FOOT}H${WIDTH - 10}` }),
    s("text", { x: LEFT - 6, y: y(top) + 4, "text-anchor": "end" }, rounded(top)), s("text", { x: LEFT - 6, y: y(0), "text-anchor": "end" }, "0"),
    s("text", { x: LEFT, y: HEIGHT - 8 }, label(first)),
    last > first ? s("text", { x: WIDTH - 36, y: HEIGHT - 8, "text-anchor": "end" }, label(last)) : null,
  ];
  return { x, y, axis };
}

function rounded(value) {
  return short.format(value);
}

function svg(title, ...children) {
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }, ...children);
}

function legend(names) {
  return names.map((name, index) => [
    s("rect", { x: LEFT + 12, y: 2 + index * 14, width: 12, height: 8, class: index ? "bar other" : "bar" }),
    s("text", { x: LEFT + 30, y: 11 + index * 14 }, name)]).flat();
}

function band(rows, label) {
  const { x, y, axis } = frame(rows.map((row) => row.since), Math.max(...rows.map((row) => row.high)), label);
  const outline = [...rows.map((row) => `${x(row.since)},${y(row.high)}`), ...rows.toReversed().map((row) => `${x(row.since)},${y(row.low)}`)];
  return svg(t("Different people over time"), ...axis, s("polygon", { class: "band", points: outline.join(" ") }),
    s("polyline", { class: "path", points: rows.map((row) => `${x(row.since)},${y(row.people)}`).join(" ") }),
    ...rows.map((row) => s("circle", { class: "bar", cx: x(row.since), cy: y(row.people), r: 4 }, s("title", {}, t("{time}: {people}, from {low} to {high}", { time: label(row.since), people: row.people, low: row.low, high: row.high })))));
}

function lines(series, label, names) {
  const known = series.map((each) => each.filter((point) => point.value !== null));
  const all = known.flat();
  if (!all.length) return null;
  const { x, y, axis } = frame(all.map((point) => point.at), Math.max(...all.map((point) => point.value)), label);
  return svg(names.join(", "), ...axis, ...legend(names), ...known.flatMap((points, index) => [
    s("polyline", { class: index ? "path other" : "path", points: points.map((point) => `${x(point.at)},${y(point.value)}`).join(" ") }),
    ...points.map((point) => s("circle", { class: index ? "bar other" : "bar", cx: x(point.at), cy: y(point.value), r: 3 }, s("title", {}, `${label(point.at)}: ${rounded(point.value)}`)))]));
}

function bars(series, label, names) {
  const times = [...new Set(series.flat().map((point) => point.at))];
  const { x, y, axis } = frame(times, Math.max(...series.flat().map((point) => point.value)), label);
  const wide = Math.max(2, Math.min(16, (WIDTH - LEFT) / times.length / 3));
  return svg(names.join(", "), ...axis, ...legend(names), ...series.flatMap((points, index) => points.map((point) => s("rect", {
    class: index ? "bar other" : "bar", x: x(point.at) + index * wide, y: y(point.value), width: wide - 1, height: y(0) - y(point.value),
  }, s("title", {}, `${label(point.at)}: ${point.value} ${names[index]}`)))));
}

// From each place (row) to each other (column): how many people, the darker the more.
function matrix(title, rows) {
  if (!rows.length) return null;
  const sums = new Map();
  for (const row of rows) sums.set(`${row.place}\n${row.to}`, (sums.get(`${row.place}\n${row.to}`) ?? 0) + row.num);
  const names = [...new Set(rows.flatMap((row) => [row.place, row.to]))].sort();
  const most = Math.max(...sums.values());
  const cell = (from, to) => {
    const num = sums.get(`${from}\n${to}`) ?? 0;
    return h("td", { style: { textAlign: "center", background: num ? `color-mix(in srgb, var(--accent) ${Math.round(6 + (29 * num) / most)}%, transparent)` : "" } }, num ? String(num) : "");
  };
  return h("section", { className: "card plot" }, h("h2", {}, title),
    h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, t("from ↓ to →")), names.map((name) => h("th", { scope: "col", style: { textAlign: "center" } }, name)))),
      h("tbody", {}, names.map((from) => h("tr", {}, h("th", { scope: "row" }, from), names.map((to) => cell(from, to))))))));
}

function heatMap(plane, cells, heat) {
  const [columns, rows] = [0, 1].map((side) => cells.map((cell) => cell[side]));
  const onGround = plane === "";
  const [left, right] = onGround ? [Math.min(...columns), Math.max(...columns) + 1] : [0, heat.num_across];
  const [low, high] = [onGround ? Math.min(...rows) : 0, Math.max(...rows) + 1];
  const most = Math.max(...cells.map((cell) => cell[2]));
  // The ground is seen from above, as on a map: y goes up.
  const drawn = cells.map(([column, row, seconds]) => s("rect", { class: "cell", x: column - left, y: onGround ? high - row - 1 : row, width: 1, height: 1, opacity: (0.08 + 0.92 * Math.sqrt(seconds / most)).toFixed(3) },
    s("title", {}, onGround ? t("{x} m, {y} m: {duration}", { x: column * heat.cell_m, y: row * heat.cell_m, duration: duration(seconds) }) : duration(seconds))));
  const title = onGround ? t("Where people stood, on the ground; a square is {metres} m wide", { metres: heat.cell_m }) : t("Where people stood in the picture of {camera}", { camera: plane });
  return h("section", { className: "card plot" }, h("h2", {}, title),
    s("svg", { viewBox: `0 0 ${right - left} ${high - low}`, role: "img", "aria-label": title }, ...drawn), h("p", {}, t("Darkest: {duration} of all people together.", { duration: duration(most) })));
}
