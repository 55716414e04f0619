// Where a person went: a path on the ground, or a graph of the cameras.

import { h, s } from "./dom.js";
import { colour, duration } from "./format.js";
import { t } from "./language.js";

export function map(person, sightings, found, site) {
  const onGround = sightings.filter((each) => each.place);
  return h("div", { className: "map" }, Object.keys(site.areas ?? {}).length && onGround.length > 1 ? ground(person, onGround, site) : graph(found, site));
}

// Least distance between two cameras in a graph that is 480 wide; nearer ones leave no room for a transit time, and a ring is drawn.
const MIN_APART = 130;

// The path in metres, for a site with ground planes.
function ground(person, sightings, site) {
  const plan = site.floor_plan?.metres_per_px ? [site.floor_plan.width, site.floor_plan.height].map((side) => side * site.floor_plan.metres_per_px) : null;
  const all = [...Object.values(site.areas).flat(), ...sightings.map((each) => each.place), ...(plan ? [[0, 0], plan] : [])];
  const [left, right] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  const [low, high] = [Math.min(...all.map((p) => p[1])), Math.max(...all.map((p) => p[1]))];
  const scale = Math.min(560 / Math.max(right - left, 1), 340 / Math.max(high - low, 1));
  const [width, height] = [(right - left) * scale + 60, (high - low) * scale + 60];
  const at = ([x, y]) => [30 + (x - left) * scale, height - 30 - (y - low) * scale];
  const points = (places) => places.map((place) => at(place).map((side) => side.toFixed(1)).join()).join(" ");
  const { css } = colour(person);
  const areas = Object.values(site.areas).map((places) => s("polygon", { points: points(places), class: "area" }));
  const names = Object.entries(site.areas).map(([camera, places]) => {
    const middle = at([0, 1].map((side) => places.reduce((sum, place) => sum + place[side], 0) / places.length));
    return s("text", { x: middle[0], y: middle[1], "text-anchor": "middle", opacity: 0.75 }, camera);
  });
  const path = sightings.map((each) => each.place);
  const [start, end] = [at(path[0]), at(path.at(-1))];
  const bar = 5 * scale;
  const picture = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": t("The path of person {person} on the ground", { person }) },
    ...(plan ? [s("image", { href: "/api/floor-plan/picture", x: at([0, plan[1]])[0], y: at([0, plan[1]])[1], width: plan[0] * scale, height: plan[1] * scale, preserveAspectRatio: "none", opacity: 0.6 })] : []),
    ...areas,
    s("polyline", { points: points(path), class: "path" }),
    ...path.map((place) => s("circle", { cx: at(place)[0], cy: at(place)[1], r: 3, class: "dot" })), ...names,
    s("circle", { cx: start[0], cy: start[1], r: 7, class: "dot" }), s("text", { x: start[0] + 10, y: start[1] + 4 }, t("start")),
    s("circle", { cx: end[0], cy: end[1], r: 7, fill: "none", stroke: "currentColor", "stroke-width": 3 }), s("text", { x: end[0] + 10, y: end[1] + 4 }, t("end")),
    s("line", { x1: 30, x2: 30 + bar, y1: height - 8, y2: height - 8, stroke: "currentColor", "stroke-width": 2 }), s("text", { x: 36 + bar, y: height - 4 }, t("{number} m", { number: 5 })));
  for (const line of picture.querySelectorAll(".path")) line.style.stroke = css;
  for (const dot of picture.querySelectorAll(".dot")) dot.style.fill = css;
  return picture;
}

// Places of the cameras in a graph: the centres of their ground areas if these are known and apart, else a ring.
function layout(cameras, areas, width, height) {
  const middles = cameras.map((camera) => areas?.[camera] && [0, 1].map((side) => areas[camera].reduce((sum, place) => sum + place[side], 0) / areas[camera].length));
  const [rx, ry] = cameras.length > 1 ? [width / 2 - 60, height / 2 - 56] : [0, 0];
  if (cameras.length > 1 && middles.every(Boolean)) {
    const [left, right] = [Math.min(...middles.map((p) => p[0])), Math.max(...middles.map((p) => p[0]))];
    const [low, high] = [Math.min(...middles.map((p) => p[1])), Math.max(...middles.map((p) => p[1]))];
    const at = new Map(cameras.map((camera, index) => [camera, [
      width / 2 + rx * (2 * (middles[index][0] - left) / Math.max(right - left, 1) - 1), height / 2 - ry * (2 * (middles[index][1] - low) / Math.max(high - low, 1) - 1)]]));
    const places = [...at.values()];
    if (places.every((one, index) => places.slice(index + 1).every((two) => Math.hypot(one[0] - two[0], one[1] - two[1]) > MIN_APART))) return at;
  }
  return new Map(cameras.map((camera, index) => {
    const angle = (2 * Math.PI * index) / cameras.length - Math.PI / 2;
    return [camera, [width / 2 + rx * Math.cos(angle), height / 2 + ry * Math.sin(angle)]];
  }));
}

function node(camera, [x, y], kind) {
  return [s("circle", { cx: x, cy: y, r: 22, class: kind }), s("text", { x, y: y + 40, "text-anchor": "middle" }, camera)];
}

function bow([x1, y1], [x2, y2], bend) {
  const middle = [(x1 + x2) / 2 + (y2 - y1) * bend, (y1 + y2) / 2 - (x2 - x1) * bend];
  return { d: `M${x1} ${y1}Q${middle[0]} ${middle[1]} ${x2} ${y2}`, label: [(x1 + x2) / 4 + middle[0] / 2, (y1 + y2) / 4 + middle[1] / 2] };
}

// The cameras and the person's transits between them, for a site without ground planes.
function graph(found, site) {
  const cameras = site.cameras.length ? site.cameras : [...new Set(found.map((each) => each.camera))];
  const at = layout(cameras, site.areas, 480, 330);
  const edges = site.transits.filter((transit) => at.has(transit.from) && at.has(transit.to)).flatMap((transit) => {
    const [[x1, y1], [x2, y2]] = [at.get(transit.from), at.get(transit.to)];
    return [s("line", { x1, y1, x2, y2, class: "edge", "stroke-width": 1 + Math.min(6, transit.num) })];
  });
  const steps = found.slice(1).map((each, index) => [found[index], each]).filter(([one, two]) => one.camera !== two.camera && at.has(one.camera) && at.has(two.camera));
  const path = steps.flatMap(([one, two], index) => {
    const { d, label: [x, y] } = bow(at.get(one.camera), at.get(two.camera), 0.24);
    return [s("path", { d, class: "path" }), s("text", { x, y, "text-anchor": "middle" }, `${index + 1}. ${duration(Math.max(0, two.from - one.until))}`)];
  });
  const nodes = [...at].flatMap(([camera, place]) => node(camera, place, found.some((each) => each.camera === camera) ? "dot" : "area"));
  return s("svg", { viewBox: "0 0 480 330", role: "img", "aria-label": t("The cameras and the path between them") }, ...edges, ...path, ...nodes);
}

// Median transit times between cameras; more transits make a thicker line.
export function transitGraph({ cameras, areas, transits }) {
  const at = layout(cameras, areas, 480, 330);
  const most = Math.max(...transits.map((transit) => transit.num));
  const drawn = transits.filter((transit) => at.has(transit.from) && at.has(transit.to)).map((transit) => ({ transit, ...bow(at.get(transit.from), at.get(transit.to), 0.22) }));
  return h("div", { className: "map" }, s("svg", { viewBox: "0 0 480 330", role: "img", "aria-label": t("Transit times between the cameras, as in the table below") },
    ...drawn.map(({ transit, d }) => s("path", { d, class: "path", "stroke-width": 1 + (5 * transit.num) / most, opacity: 0.35 + (0.65 * transit.num) / most })),
    ...[...at].flatMap(([camera, place]) => node(camera, place, "dot")),
    ...drawn.map(({ transit, label: [x, y] }) => s("text", { x, y: y + 4, "text-anchor": "middle", class: "duration" }, duration(transit.median_s)))));
}
