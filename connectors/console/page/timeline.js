// When a person was where: track segments as bars on a time axis.

import { h } from "./dom.js";
import { colour, eventTime } from "./format.js";
import { t } from "./language.js";

// Groups consecutive sightings of one track into segments.
export function segments(sightings) {
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
  // The last mark is within its bar, although a mark is at least 5 pixels wide.
  const start = (at) => `min(${place(at)}, 100% - 5px)`;
  const place = (at) => `${(100 * (at - from)) / span}%`;
  const { css } = colour(person);
  const rows = [...new Set(found.map((each) => each.camera))].flatMap((camera) => [
    h("b", {}, camera),
    h("div", { className: "track" }, found.filter((each) => each.camera === camera).map((each) => h("button", {
      style: { left: start(each.from), width: `${(100 * (each.until - each.from)) / span}%`, background: css },
      title: `${camera}, ${eventTime(each.from)} – ${eventTime(each.until)}`, "aria-label": t("{camera}, {from} to {until}", { camera, from: eventTime(each.from), until: eventTime(each.until) }),
      onclick: () => choose(each),
    }))),
  ]);
  const ticks = [0, 0.5, 1].map((share) => h("span", { style: { left: `${100 * share}%`, transform: `translateX(-${100 * share}%)` } }, eventTime(from + share * span)));
  return h("div", { className: "timeline num" }, ...rows, h("span"), h("div", { className: "axis" }, ticks));
}
