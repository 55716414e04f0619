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

// Only the cameras are known, and how long people walked between them.
function graph(found, site) {
  const cameras = site.cameras.length ? site.cameras : [...new Set(found.map((each) => each.camera))];
  const at = new Map(cameras.map((camera, index) => {
    const angle = (2 * Math.PI * index) / cameras.length - Math.PI / 2;
    return [camera, [320 + (cameras.length > 1 ? 210 : 0) * Math.cos(angle), 190 + (cameras.length > 1 ? 130 : 0) * Math.sin(angle)]];
  }));
  const edges = site.walks.filter((walk) => at.has(walk.from) && at.has(walk.to)).flatMap((walk) => {
    const [[x1, y1], [x2, y2]] = [at.get(walk.from), at.get(walk.to)];
    return [s("line", { x1, y1, x2, y2, class: "edge", "stroke-width": 1 + Math.min(6, walk.num) })];
  });
  const steps = found.slice(1).map((each, index) => [found[index], each]).filter(([one, two]) => one.camera !== two.camera && at.has(one.camera) && at.has(two.camera));
  const walk = steps.flatMap(([one, two], index) => {
    const [[x1, y1], [x2, y2]] = [at.get(one.camera), at.get(two.camera)];
    const [mx, my] = [(x1 + x2) / 2 + (y2 - y1) * 0.12, (y1 + y2) / 2 - (x2 - x1) * 0.12];
    return [s("path", { d: `M${x1} ${y1}Q${mx} ${my} ${x2} ${y2}`, class: "walk" }),
      s("text", { x: mx, y: my, "text-anchor": "middle" }, `${index + 1}. ${lasting(Math.max(0, two.from - one.until))}`)];
  });
  const nodes = [...at].flatMap(([camera, [x, y]]) => {
    const wasThere = found.some((each) => each.camera === camera);
    return [s("circle", { cx: x, cy: y, r: 26, class: wasThere ? "dot" : "area" }), s("text", { x, y: y + 44, "text-anchor": "middle" }, camera)];
  });
  return s("svg", { viewBox: "0 0 640 400", role: "img", "aria-label": "The cameras, and the way between them" }, ...edges, ...walk, ...nodes);
}
