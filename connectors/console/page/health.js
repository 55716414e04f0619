// State of the pipeline.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { calibrationCurve, reliability } from "./calibration.js";
import { duration } from "./format.js";
import { transitGraph } from "./map.js";

export async function page(root, context) {
  const body = h("div", { className: "stack" });
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Health"), h("p", {}, context.site.is_live ? "Updated every two seconds." : "This run has ended. These are its last figures."))), body);

  async function refresh() {
    if (document.hidden) return;
    const found = await get("health");
    const { status, summary } = found;
    put(body, tiles(found), status ? cameras(status) : null, h("div", { className: "pack" }, status?.match ? dropped(found) : null, status?.busy ? stages(status) : null, clocks(found), transits(found, context.site), calibration(found), latency(summary)));
  }

  const timer = setInterval(() => refresh().catch(() => {}), 2000);
  await refresh();
  return () => clearInterval(timer);
}

function tiles({ is_live: isLive, status, summary, viewers, connected }) {
  const cameras = Object.values(status?.cameras ?? {});
  const sum = (name) => cameras.reduce((total, camera) => total + camera[name], 0);
  const found = [
    ["people known", status?.match?.num_identities ?? summary?.identities ?? "–"],
    ["sightings", status?.match?.num_sightings ?? summary?.sightings ?? "–"],
    ["frames per second", isLive ? sum("fps").toFixed(1) : summary?.frames_per_s?.toFixed(1) ?? "–"],
    ["freshness, p95", fresh(status?.match?.freshness_p95_s ?? summary?.latency_s?.p95)],
    ["embeddings waiting", status?.match?.num_waiting ?? "–"],
    ["live viewers", viewers],
    ["cameras connected", isLive ? connected.length : "–"],
  ];
  return h("div", { className: "tiles" }, found.map(([name, value]) => h("div", { className: "card tile" }, h("b", {}, String(value)), h("span", {}, name))));
}

function cameras(status) {
  const titles = ["camera", "state", "fps", "lag", "people", "processed", "dropped", "bad", "static false positives", "tracklets", "reconnects", "decoder"];
  return section("Cameras", titles, Object.entries(status.cameras).map(([name, camera]) => [
    name, h("span", {}, state(camera), camera.is_unverified ? h("span", { className: "tag warn", title: "verify: false: anybody between here and the camera may see and change its pictures" }, "not verified") : null),
    camera.fps.toFixed(1), `${camera.lag_s.toFixed(2)} s`, camera.people_now, camera.frames_processed, camera.frames_dropped, camera.bad_records, camera.static_false_positives, camera.tracklets, camera.reopens, camera.decoder || "–",
  ]));
}

// A camera whose pictures come late is not fine, whatever its speed.
function state({ error, away, lag_s: lag, reopens }) {
  if (error) return h("span", { className: "tag bad" }, "lost");
  if (away) return h("span", { className: "tag bad", title: away }, "away");
  if (lag > 10) return h("span", { className: `tag ${lag > 30 ? "bad" : "warn"}` }, `${duration(lag)} behind`);
  return h("span", { className: `tag ${reopens ? "warn" : "good"}` }, reopens ? "reconnected" : "ok");
}

function stages(status) {
  const rows = Object.entries(status.busy).map(([stage, { busy_s: busy, items, waiting, calls }]) => [stage, items, items ? `${(1000 * busy / items).toFixed(1)} ms` : "–", duration(busy), waiting ?? "–", callSizes(calls)]);
  const cameras = Object.values(status.cameras);
  for (const [stage, name] of [["decode", "decode_s"], ["track", "track_s"]]) {
    const [busy, items] = [cameras.reduce((sum, camera) => sum + camera[name], 0), cameras.reduce((sum, camera) => sum + camera.frames_processed, 0)];
    rows.push([stage, items, items ? `${(1000 * busy / items).toFixed(1)} ms` : "–", duration(busy), "–", "–"]);
  }
  rows.push(["match", status.match.num_sightings, "–", "–", status.match.num_waiting, "–"]);
  return section("Time and queues by stage", ["stage", "items", "per item", "total", "waiting", h("span", { className: "wrap" }, "inputs in a call of the network")], rows);
}

// How many frames, crops or clips were in a call of the network: on average, and how often each number.
function callSizes(calls = {}) {
  const sizes = Object.entries(calls).map(([size, count]) => [Number(size), count]).sort(([a], [b]) => a - b);
  const number = sizes.reduce((sum, [, count]) => sum + count, 0);
  if (!number) return "–";
  const mean = sizes.reduce((sum, [size, count]) => sum + size * count, 0) / number;
  return h("span", { className: "wrap" }, `${mean.toFixed(1)} (${sizes.map(([size, count]) => `${count} × ${size}`).join(", ")})`);
}

function fresh(seconds) {
  return seconds === null || seconds === undefined ? "–" : `${seconds.toFixed(2)} s`;
}

// Everything that the pipeline dropped, and why.
function dropped({ status, bad_messages: bad }) {
  const cameras = Object.values(status.cameras);
  const sum = (name) => cameras.reduce((total, camera) => total + camera[name], 0);
  const embedded = status.busy.embed?.items ?? 0;
  return section("Dropped, and why", ["what", "why", "how many"], [
    ["frames", "newer frames had arrived: the pipeline was behind", sum("frames_dropped")],
    ["frames and tracklets", "corrupt or without an image", sum("bad_records")],
    ["parts of tracks", "static false positives: nothing in them moved", sum("static_false_positives")],
    ["parts of tracks", "the detection score stayed below the minimum peak", sum("low_score_parts")],
    ["tracklets", "no crop of sufficient quality", Math.max(0, sum("tracklets") - embedded)],
    ["embeddings", "unusable values", status.match.num_unusable],
    ["embeddings", "too late", status.match.num_late],
    ["batches of events", "not dropped: a sink was busy, and they were written again", status.match.num_sink_retries],
    ["pictures for this page", "unreadable", bad],
  ]);
}

function latency(summary) {
  const quantiles = summary?.latency_s;
  if (!quantiles) return null;
  return section("Freshness of the run", ["capture to published sighting", ""], Object.entries(quantiles).map(([name, value]) => [name, fresh(value)]));
}

// How far the clocks of cameras are apart, as people who were seen in several show it. The key to set is proposed only.
function clocks({ status, summary }) {
  const offsets = status?.match?.clock_offsets ?? summary?.clock_offsets ?? [];
  if (!offsets.length) return null;
  return section("Clocks, against each other", ["camera", "ahead of the others", "error", "links", ""], offsets.map((offset) => [
    offset.camera_id, `${offset.ahead_s.toFixed(1)} s`, `${offset.error_s.toFixed(1)} s`, offset.num_people,
    Math.abs(offset.ahead_s) > Math.max(0.5, 3 * offset.error_s) ? h("span", { className: "tag warn", title: "passerby status prints the key that corrects it" }, "wrong") : "ok",
  ]));
}

function transits({ transits: found }, site) {
  if (!found.length) return null;
  const box = section("Observed transit times", ["from", "to", "people", "median", "10–90 %"],
    found.map((transit) => [transit.from, transit.to, transit.num, duration(transit.median_s), `${duration(transit.p10_s)} – ${duration(transit.p90_s)}`]));
  box.querySelector("h2").after(transitGraph({ cameras: site.cameras, areas: site.areas, transits: found }));
  return box;
}

function calibration({ calibration: curve, answers, status }) {
  if (!curve) return null;
  const match = status?.match;
  return h("section", { className: "card" }, h("h2", {}, "Calibration"), calibrationCurve(curve),
    h("p", { className: "small" }, curve.is_learned ? `The current calibration, learned from ${match.calibration_labels} pairs that certainly showed two people. Drift since training: ${match.calibration_drift.toFixed(2)} standard deviations.` : "The calibration with which the run began."),
    answers.some((bin) => bin.num) ? reliability(answers) : h("p", { className: "soft small" }, "A chart here compares the answers in the ", h("a", { href: "#/review" }, "review queue"), " with the pipeline’s probabilities."));
}

function section(title, titles, rows) {
  return h("section", { className: "card" }, h("h2", {}, title), h("div", { className: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, titles.map((each, index) => h("th", { className: index > 1 ? "r" : "" }, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => h("td", { className: index > 1 ? "r" : "" }, cell instanceof Node ? cell : String(cell)))))))));
}
