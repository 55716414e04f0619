// How the line is doing.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { lasting } from "./format.js";

export async function page(root, context) {
  const body = h("div", { className: "stack" });
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Health"), h("p", {}, context.site.is_live ? "Now, every two seconds." : "This run has ended; this is how it went."))), body);

  async function refresh() {
    if (document.hidden) return;
    const found = await get("health");
    const { status, summary } = found;
    put(body, tiles(found), status ? cameras(status) : null, h("div", { className: "cols" }, status ? work(status) : null, delays(summary), walks(found.walks)));
  }

  const timer = setInterval(() => refresh().catch(() => {}), 2000);
  await refresh();
  return () => clearInterval(timer);
}

function tiles({ status, summary, viewers, connected }) {
  const cameras = Object.values(status?.cameras ?? {});
  const sum = (name) => cameras.reduce((total, camera) => total + camera[name], 0);
  const found = [
    ["people known", status?.match.num_identities ?? summary?.identities ?? "–"],
    ["sightings", status?.match.num_sightings ?? summary?.sightings ?? "–"],
    ["frames a second", status ? sum("fps").toFixed(1) : summary?.frames_per_s?.toFixed(1) ?? "–"],
    ["dropped frames", status ? sum("frames_dropped") : "–"],
    ["waiting to be judged", status?.match.num_waiting ?? "–"],
    ["came too late", status?.match.num_late ?? "–"],
    ["pages that look", viewers],
    ["cameras that send", connected.length],
  ];
  return h("div", { className: "tiles" }, found.map(([name, value]) => h("div", { className: "card tile" }, h("b", {}, String(value)), h("span", {}, name))));
}

function cameras(status) {
  const titles = ["camera", "state", "fps", "lag", "people", "processed", "dropped", "bad", "still lifes", "tracklets", "reopened"];
  return section("Cameras", titles, Object.entries(status.cameras).map(([name, camera]) => [
    name, h("span", { className: `tag ${camera.error ? "bad" : camera.reopens ? "warn" : "good"}` }, camera.error ? "lost" : camera.reopens ? "came back" : "fine"),
    camera.fps.toFixed(1), `${camera.lag_s.toFixed(2)} s`, camera.people_now, camera.frames_processed, camera.frames_dropped, camera.bad_records, camera.still_lifes, camera.tracklets, camera.reopens,
  ]));
}

function work(status) {
  const rows = Object.entries(status.busy).map(([stage, { busy_s: busy, items }]) => [stage, items, items ? `${(1000 * busy / items).toFixed(1)} ms` : "–", lasting(busy)]);
  const cameras = Object.values(status.cameras);
  for (const [stage, name] of [["decode", "decode_s"], ["track", "track_s"]]) {
    const [busy, items] = [cameras.reduce((sum, camera) => sum + camera[name], 0), cameras.reduce((sum, camera) => sum + camera.frames_processed, 0)];
    rows.push([stage, items, items ? `${(1000 * busy / items).toFixed(1)} ms` : "–", lasting(busy)]);
  }
  return section("Time by stage", ["stage", "items", "each", "in all"], rows);
}

function delays(summary) {
  const latency = summary?.latency_s;
  if (!latency) return section("Freshness", ["", ""], [["capture to published sighting", "at the end of the run"]]);
  return section("Freshness", ["capture to published sighting", ""], Object.entries(latency).map(([name, value]) => [name, value === null ? "–" : `${value.toFixed(2)} s`]));
}

function walks(found) {
  if (!found.length) return null;
  return section("Walking times, as seen", ["from", "to", "people", "median", "10–90 %"],
    found.map((walk) => [walk.from, walk.to, walk.num, lasting(walk.median_s), `${lasting(walk.p10_s)} – ${lasting(walk.p90_s)}`]));
}

function section(title, titles, rows) {
  return h("section", { className: "card" }, h("h2", {}, title), h("div", { className: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, titles.map((each, index) => h("th", { className: index > 1 ? "r" : "" }, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => h("td", { className: index > 1 ? "r" : "" }, cell instanceof Node ? cell : String(cell)))))))));
}
