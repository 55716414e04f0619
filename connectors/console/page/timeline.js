// One person's way: bars on a time axis, and a line on the ground.

import { h, s } from "./dom.js";
import { clock, colour, lasting } from "./format.js";

// Parts of one track in a row are one stay.
export function stays(sightings) {
  const found = [];
  for (const each of sightings) {
    const last = found.at(-1);
    if (last && last.track === each.track) {
      last.parts.push(each);
      last.until = Math.max(last.until, each.last_at);
    } else {
      found.push({ track: each.track, camera: each.camera, from: each.first_at, until: each.last_at, parts: [each] });
    }
  }
  return found;
}

export function timeline(person, found, choose) {
  const [from, until] = [Math.min(...found.map((each) => each.from)), Math.max(...found.map((each) => each.until))];
  const span = Math.max(until - from, 1);
  const place = (at) => `${(100 * (at - from)) / span}%`;
  const { css } = colour(person);
  const rows = [...new Set(found.map((each) => each.camera))].flatMap((camera) => [
    h("b", {}, camera),
    h("div", { className: "track" }, found.filter((each) => each.camera === camera).map((each) => h("button", {
      style: { left: place(each.from), width: `${(100 * (each.until - each.from)) / span}%`, background: css },
      title: `${camera}, ${clock(each.from)} – ${clock(each.until)}`, "aria-label": `${camera}, ${clock(each.from)} to ${clock(each.until)}`,
      onclick: () => choose(each),
    }))),
  ]);
  const ticks = [0, 0.5, 1].map((share) => h("span", { style: { left: `${100 * share}%`, transform: `translateX(-${100 * share}%)` } }, clock(from + share * span)));
  return h("div", { className: "tline num" }, ...rows, h("span"), h("div", { className: "axis" }, ticks));
}

export function map(person, sightings, found, site) {
  const onGround = sightings.filter((each) => each.place);
  return h("div", { className: "map" }, Object.keys(site.areas ?? {}).length && onGround.length > 1 ? ground(person, onGround, site) : graph(found, site));
}

// Where people stand is known in metres.
function ground(person, sightings, site) {
  const all = [...Object.values(site.areas).flat(), ...sightings.map((each) => each.place)];
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
  const walk = sightings.map((each) => each.place);
  const [start, end] = [at(walk[0]), at(walk.at(-1))];
  const bar = 5 * scale;
  const picture = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The way of person ${person} on the ground` },
    ...areas, ...names,
    s("polyline", { points: points(walk), class: "walk" }),
    ...walk.map((place) => s("circle", { cx: at(place)[0], cy: at(place)[1], r: 3, class: "dot" })),
    s("circle", { cx: start[0], cy: start[1], r: 7, class: "dot" }), s("text", { x: start[0] + 10, y: start[1] + 4 }, "start"),
    s("circle", { cx: end[0], cy: end[1], r: 7, fill: "none", stroke: "currentColor", "stroke-width": 3 }), s("text", { x: end[0] + 10, y: end[1] + 4 }, "end"),
    s("line", { x1: 30, x2: 30 + bar, y1: height - 8, y2: height - 8, stroke: "currentColor", "stroke-width": 2 }), s("text", { x: 36 + bar, y: height - 4 }, "5 m"));
  for (const line of picture.querySelectorAll(".walk")) line.style.stroke = css;
  for (const dot of picture.querySelectorAll(".dot")) dot.style.fill = css;
  return picture;
}

// Where cameras are drawn: where people stood in front of them, if that is known, or else in a ring.
function layout(cameras, areas, width, height) {
  const middles = cameras.map((camera) => areas?.[camera] && [0, 1].map((side) => areas[camera].reduce((sum, place) => sum + place[side], 0) / areas[camera].length));
  const [rx, ry] = cameras.length > 1 ? [width / 2 - 60, height / 2 - 56] : [0, 0];
  if (cameras.length > 1 && middles.every(Boolean)) {
    const [left, right] = [Math.min(...middles.map((p) => p[0])), Math.max(...middles.map((p) => p[0]))];
    const [low, high] = [Math.min(...middles.map((p) => p[1])), Math.max(...middles.map((p) => p[1]))];
    const at = new Map(cameras.map((camera, index) => [camera, [
      width / 2 + rx * (2 * (middles[index][0] - left) / Math.max(right - left, 1) - 1), height / 2 - ry * (2 * (middles[index][1] - low) / Math.max(high - low, 1) - 1)]]));
    const places = [...at.values()];
    if (places.every((one, index) => places.slice(index + 1).every((two) => Math.hypot(one[0] - two[0], one[1] - two[1]) > 90))) return at;
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

// Only the cameras are known, and how long people walked between them.
function graph(found, site) {
  const cameras = site.cameras.length ? site.cameras : [...new Set(found.map((each) => each.camera))];
  const at = layout(cameras, site.areas, 480, 330);
  const edges = site.walks.filter((walk) => at.has(walk.from) && at.has(walk.to)).flatMap((walk) => {
    const [[x1, y1], [x2, y2]] = [at.get(walk.from), at.get(walk.to)];
    return [s("line", { x1, y1, x2, y2, class: "edge", "stroke-width": 1 + Math.min(6, walk.num) })];
  });
  const steps = found.slice(1).map((each, index) => [found[index], each]).filter(([one, two]) => one.camera !== two.camera && at.has(one.camera) && at.has(two.camera));
  const walk = steps.flatMap(([one, two], index) => {
    const { d, label: [x, y] } = bow(at.get(one.camera), at.get(two.camera), 0.24);
    return [s("path", { d, class: "walk" }), s("text", { x, y, "text-anchor": "middle" }, `${index + 1}. ${lasting(Math.max(0, two.from - one.until))}`)];
  });
  const nodes = [...at].flatMap(([camera, place]) => node(camera, place, found.some((each) => each.camera === camera) ? "dot" : "area"));
  return s("svg", { viewBox: "0 0 480 330", role: "img", "aria-label": "The cameras, and the way between them" }, ...edges, ...walk, ...nodes);
}

// How long people walked between cameras, as it was seen: the more did, the thicker the line.
export function walkGraph({ cameras, areas, walks }) {
  const at = layout(cameras, areas, 480, 330);
  const most = Math.max(...walks.map((walk) => walk.num));
  const drawn = walks.filter((walk) => at.has(walk.from) && at.has(walk.to)).map((walk) => ({ walk, ...bow(at.get(walk.from), at.get(walk.to), 0.22) }));
  return h("div", { className: "map" }, s("svg", { viewBox: "0 0 480 330", role: "img", "aria-label": "Walking times between the cameras; the table below says the same" },
    ...drawn.map(({ walk, d }) => s("path", { d, class: "walk", "stroke-width": 1 + (5 * walk.num) / most, opacity: 0.35 + (0.65 * walk.num) / most })),
    ...[...at].flatMap(([camera, place]) => node(camera, place, "dot")),
    ...drawn.map(({ walk, label: [x, y] }) => s("text", { x, y: y + 4, "text-anchor": "middle", class: "haloed" }, lasting(walk.median_s)))));
}
