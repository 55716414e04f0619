// How the line is doing.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { calibrationCurve, reliability } from "./curves.js";
import { lasting } from "./format.js";
import { walkGraph } from "./timeline.js";

export async function page(root, context) {
  const body = h("div", { className: "stack" });
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Health"), h("p", {}, context.site.is_live ? "Now, every two seconds." : "This run has ended; this is how it went."))), body);

  async function refresh() {
    if (document.hidden) return;
    const found = await get("health");
    const { status, summary } = found;
    put(body, tiles(found), status ? cameras(status) : null, h("div", { className: "pack" }, status ? leftOut(found) : null, status ? work(status) : null, walks(found, context.site), calibration(found), delays(summary)));
  }

  const timer = setInterval(() => refresh().catch(() => {}), 2000);
  await refresh();
  return () => clearInterval(timer);
}

function tiles({ is_live: isLive, status, summary, viewers, connected }) {
  const cameras = Object.values(status?.cameras ?? {});
  const sum = (name) => cameras.reduce((total, camera) => total + camera[name], 0);
  const found = [
    ["people known", status?.match.num_identities ?? summary?.identities ?? "–"],
    ["sightings", status?.match.num_sightings ?? summary?.sightings ?? "–"],
    ["frames a second", isLive ? sum("fps").toFixed(1) : summary?.frames_per_s?.toFixed(1) ?? "–"],
    ["freshness, p95", fresh(status?.match.freshness_p95_s ?? summary?.latency_s?.p95)],
    ["waiting to be judged", status?.match.num_waiting ?? "–"],
    ["pages that look", viewers],
    ["cameras that send", isLive ? connected.length : "–"],
  ];
  return h("div", { className: "tiles" }, found.map(([name, value]) => h("div", { className: "card tile" }, h("b", {}, String(value)), h("span", {}, name))));
}

function cameras(status) {
  const titles = ["camera", "state", "fps", "lag", "people", "processed", "dropped", "bad", "still lifes", "tracklets", "reopened"];
  return section("Cameras", titles, Object.entries(status.cameras).map(([name, camera]) => [
    name, h("span", { className: `tag ${camera.error ? "bad" : camera.reopens ? "warn" : "good"}` }, camera.error ? "lost" : camera.reopens ? "came back" : "fine"),
    camera.fps.toFixed(1), `${camera.lag_s.toFixed(2)} s`, camera.people_now, camera.frames_processed, camera.frames_dropped, camera.bad_records, camera.static_false_positives, camera.tracklets, camera.reopens,
  ]));
}

function work(status) {
  const rows = Object.entries(status.busy).map(([stage, { busy_s: busy, items, waiting }]) => [stage, items, items ? `${(1000 * busy / items).toFixed(1)} ms` : "–", lasting(busy), waiting ?? "–"]);
  const cameras = Object.values(status.cameras);
  for (const [stage, name] of [["decode", "decode_s"], ["track", "track_s"]]) {
    const [busy, items] = [cameras.reduce((sum, camera) => sum + camera[name], 0), cameras.reduce((sum, camera) => sum + camera.frames_processed, 0)];
    rows.push([stage, items, items ? `${(1000 * busy / items).toFixed(1)} ms` : "–", lasting(busy), "–"]);
  }
  rows.push(["match", status.match.num_sightings, "–", "–", status.match.num_waiting]);
  return section("Time and queues by stage", ["stage", "items", "each", "in all", "waiting"], rows);
}

function fresh(seconds) {
  return seconds === null || seconds === undefined ? "–" : `${seconds.toFixed(2)} s`;
}

// Nothing is lost without a word: what was not looked at, and why.
function leftOut({ status, bad_messages: bad }) {
  const cameras = Object.values(status.cameras);
  const sum = (name) => cameras.reduce((total, camera) => total + camera[name], 0);
  const embedded = status.busy.embed?.items ?? 0;
  return section("Left out, and why", ["what", "why", "how many"], [
    ["frames", "newer ones were there: the line was behind", sum("frames_dropped")],
    ["frames and tracklets", "broken, or no picture", sum("bad_records")],
    ["parts of tracks", "nothing in them moved: a thing, not a person", sum("static_false_positives")],
    ["parts of tracks", "the detector was never sure of anybody there", sum("low_score_parts")],
    ["tracklets", "no picture good enough to tell anybody", Math.max(0, sum("tracklets") - embedded)],
    ["looks", "something was wrong with them", status.match.num_unusable],
    ["looks", "they came after their turn", status.match.num_late],
    ["batches of events", "a sink was busy; they were written again", status.match.num_sink_retries],
    ["pictures for this page", "unreadable", bad],
  ]);
}

function delays(summary) {
  const latency = summary?.latency_s;
  if (!latency) return null;
  return section("Freshness of the run", ["capture to published sighting", ""], Object.entries(latency).map(([name, value]) => [name, fresh(value)]));
}

function walks({ walks: found }, site) {
  if (!found.length) return null;
  const box = section("Walking times, as learned here", ["from", "to", "people", "median", "10–90 %"],
    found.map((walk) => [walk.from, walk.to, walk.num, lasting(walk.median_s), `${lasting(walk.p10_s)} – ${lasting(walk.p90_s)}`]));
  box.querySelector("h2").after(walkGraph({ cameras: site.cameras, areas: site.areas, walks: found }));
  return box;
}

function calibration({ calibration: curve, answers, status }) {
  if (!curve) return null;
  const match = status?.match;
  return h("section", { className: "card" }, h("h2", {}, "Calibration"), calibrationCurve(curve),
    h("p", { className: "small" }, curve.is_learned ? `As the line believes now; learned from ${match.calibration_labels} pairs that were certainly two people. Drift since training: ${match.calibration_drift.toFixed(2)} standard deviations.` : "As it was when the run began."),
    answers.some((bin) => bin.num) ? reliability(answers) : h("p", { className: "soft small" }, "Answers in ", h("a", { href: "#/decide" }, "To decide"), " are drawn here against what the line said."));
}

function section(title, titles, rows) {
  return h("section", { className: "card" }, h("h2", {}, title), h("div", { className: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, titles.map((each, index) => h("th", { className: index > 1 ? "r" : "" }, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => h("td", { className: index > 1 ? "r" : "" }, cell instanceof Node ? cell : String(cell)))))))));
}
