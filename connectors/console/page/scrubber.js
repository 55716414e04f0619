// A time axis over all cameras: where there is video, where a person was seen, when alerts came; drag it to any moment.

import { h, put } from "./dom.js";
import { colour, eventTime, personTitle } from "./format.js";
import { told } from "./language.js";

// Returns the element, and what draws it. `seek` takes a moment; `choose` takes a camera and whether it is to be shown.
export function scrubber({ seek, choose }) {
  const element = h("div", { className: "timeline scrubber num" });
  let range = [0, 1];
  let isDragging = false;

  const share = (at) => `${(100 * (at - range[0])) / (range[1] - range[0])}%`;
  const length = (from, until) => `${(100 * (until - from)) / (range[1] - range[0])}%`;

  const follow = (event) => {
    const box = element.querySelector(".track").getBoundingClientRect();
    const at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    seek(range[0] + at * (range[1] - range[0]));
  };
  element.onpointerdown = (event) => {
    if (event.button !== 0 || !event.target.closest(".track") || event.target.closest("button")) return;
    isDragging = true;
    element.setPointerCapture(event.pointerId);
    follow(event);
  };
  element.onpointermove = (event) => { if (isDragging) follow(event); };
  element.onpointerup = element.onpointercancel = () => { isDragging = false; };

  function bar([from, until]) {
    const [left, right] = [Math.max(from, range[0]), Math.min(until, range[1])];
    return h("i", { className: "recorded", style: { left: share(left), width: length(left, right) } });
  }

  // A mark is no stop of the tab key: there may be hundreds. "Next mark" goes through them.
  function mark(kind, from, until, title, background) {
    return h("button", { className: kind, tabIndex: -1, title, "aria-label": title, onclick: () => seek(from), style: { left: share(from), width: length(from, until), background } });
  }

  function draw({ from, until, cameras, shown, spans, sightings, alerts, person }) {
    range = [from, until];
    const inside = (first, last) => last >= from && first <= until;
    const rows = cameras.flatMap((camera) => [
      h("label", {}, h("input", { type: "checkbox", checked: shown.has(camera), "data-key": `show ${camera}`, onchange: (event) => choose(camera, event.target.checked) }), h("b", {}, camera)),
      h("div", { className: "track", "data-row": camera },
        (spans[camera] ?? []).map(bar),
        sightings.filter((each) => each.camera === camera && inside(each.from, each.until)).map((each) =>
          mark("sighting", each.from, each.until, `${personTitle(person)}, ${camera}, ${eventTime(each.from)}`, colour(person).css)),
        alerts.filter((each) => each.camera === camera && inside(each.raised_at, each.raised_at)).map((each) =>
          mark(`alarm ${each.severity}`, each.raised_at, each.raised_at, `${eventTime(each.raised_at)}: ${told(each.message)}`)),
        h("i", { className: "cursor" })),
    ]);
    const ticks = [0, 0.5, 1].map((part) => h("span", { style: { left: `${100 * part}%`, transform: `translateX(-${100 * part}%)` } }, eventTime(from + part * (until - from))));
    put(element, rows, h("span"), h("div", { className: "axis" }, ticks));
  }

  return { element, draw, point: (at) => element.style.setProperty("--at", share(at)) };
}
