// State of the pipeline.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { calibrationCurve, reliability } from "./calibration.js";
import { decimal, duration, inSeconds } from "./format.js";
import { t, tn, tx } from "./language.js";
import { transitGraph } from "./map.js";
import { STAGES } from "./words.js";

export async function page(root, context) {
  const body = h("div", { className: "stack" });
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Health")), h("p", {}, context.site.is_live ? t("Updated every two seconds.") : t("This run has ended. These are its last figures.")))), body);

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
    [t("people known"), status?.match?.num_identities ?? summary?.identities ?? "–"],
    [t("sightings"), status?.match?.num_sightings ?? summary?.sightings ?? "–"],
    [t("frames per second"), decimal(isLive ? sum("fps") : summary?.frames_per_s)],
    [t("freshness, p95"), fresh(status?.match?.freshness_p95_s ?? summary?.latency_s?.p95)],
    [t("embeddings waiting"), status?.match?.num_waiting ?? "–"],
    [t("live viewers"), viewers],
    [t("cameras connected"), isLive ? connected.length : "–"],
  ];
  return h("div", { className: "tiles" }, found.map(([name, value]) => h("div", { className: "card tile" }, h("b", {}, String(value)), h("span", {}, name))));
}

function cameras(status) {
  const titles = [t("camera"), t("state"), t("fps"), t("lag"), t("people"), t("processed"), t("dropped"), t("bad"), t("static false positives"), t("tracklets"), t("reconnects"), t("decoder")];
  return section(t("Cameras"), titles, Object.entries(status.cameras).map(([name, camera]) => [
    name, h("span", {}, state(camera), camera.is_unverified ? h("span", { className: "tag warn", title: t("verify: false: anybody between here and the camera may see and change its pictures") }, t("not verified")) : null),
    decimal(camera.fps), inSeconds(camera.lag_s, 2), camera.people_now, camera.frames_processed, camera.frames_dropped, camera.bad_records, camera.static_false_positives, camera.tracklets, camera.reopens, camera.decoder || "–",
  ]));
}

// A camera whose pictures come late is not fine, whatever its speed.
function state({ error, away, lag_s: lag, reopens }) {
  if (error) return h("span", { className: "tag bad" }, t("lost"));
  if (away) return h("span", { className: "tag bad", title: away }, t("away"));
  if (lag > 10) return h("span", { className: `tag ${lag > 30 ? "bad" : "warn"}` }, t("{duration} behind", { duration: duration(lag) }));
  return h("span", { className: `tag ${reopens ? "warn" : "good"}` }, reopens ? t("reconnected") : t("ok"));
}

function stages(status) {
  const rows = Object.entries(status.busy).map(([stage, { busy_s: busy, items, waiting, calls }]) => [STAGES[stage] ?? stage, items, items ? t("{number} ms", { number: decimal(1000 * busy / items) }) : "–", duration(busy), waiting ?? "–", callSizes(calls)]);
  const cameras = Object.values(status.cameras);
  for (const [stage, name] of [[STAGES.decode, "decode_s"], [STAGES.track, "track_s"]]) {
    const [busy, items] = [cameras.reduce((sum, camera) => sum + camera[name], 0), cameras.reduce((sum, camera) => sum + camera.frames_processed, 0)];
    rows.push([stage, items, items ? t("{number} ms", { number: decimal(1000 * busy / items) }) : "–", duration(busy), "–", "–"]);
  }
  rows.push([STAGES.match, status.match.num_sightings, "–", "–", status.match.num_waiting, "–"]);
  return section(t("Time and queues by stage"), [t("stage"), t("items"), t("per item"), t("total"), t("waiting"), h("span", { className: "wrap" }, t("inputs in a call of the network"))], rows);
}

// How many frames, crops or clips were in a call of the network: on average, and how often each number.
function callSizes(calls = {}) {
  const sizes = Object.entries(calls).map(([size, count]) => [Number(size), count]).sort(([a], [b]) => a - b);
  const number = sizes.reduce((sum, [, count]) => sum + count, 0);
  if (!number) return "–";
  const mean = sizes.reduce((sum, [size, count]) => sum + size * count, 0) / number;
  return h("span", { className: "wrap" }, `${decimal(mean)} (${sizes.map(([size, count]) => `${count} × ${size}`).join(", ")})`);
}

function fresh(seconds) {
  return seconds === null || seconds === undefined ? "–" : inSeconds(seconds, 2);
}

// Everything that the pipeline dropped, and why.
function dropped({ status, bad_messages: bad }) {
  const cameras = Object.values(status.cameras);
  const sum = (name) => cameras.reduce((total, camera) => total + camera[name], 0);
  const embedded = status.busy.embed?.items ?? 0;
  return section(t("Dropped, and why"), [t("what"), t("why"), t("how many")], [
    [t("frames"), t("newer frames had arrived: the pipeline was behind"), sum("frames_dropped")],
    [t("frames and tracklets"), t("corrupt or without an image"), sum("bad_records")],
    [t("parts of tracks"), t("static false positives: nothing in them moved"), sum("static_false_positives")],
    [t("parts of tracks"), t("the detection score stayed below the minimum peak"), sum("low_score_parts")],
    [t("tracklets"), t("no crop of sufficient quality"), Math.max(0, sum("tracklets") - embedded)],
    [t("embeddings"), t("unusable values"), status.match.num_unusable],
    [t("embeddings"), t("too late"), status.match.num_late],
    [t("batches of events"), t("not dropped: a sink was busy, and they were written again"), status.match.num_sink_retries],
    [t("pictures for this page"), t("unreadable"), bad],
  ]);
}

function latency(summary) {
  const quantiles = summary?.latency_s;
  if (!quantiles) return null;
  return section(t("Freshness of the run"), [t("capture to published sighting"), ""], Object.entries(quantiles).map(([name, value]) => [name, fresh(value)]));
}

// How far the clocks of cameras are apart, as people who were seen in several show it. The key to set is proposed only.
function clocks({ status, summary }) {
  const offsets = status?.match?.clock_offsets ?? summary?.clock_offsets ?? [];
  if (!offsets.length) return null;
  return section(t("Clocks, against each other"), [t("camera"), t("ahead of the others"), t("error"), t("links"), ""], offsets.map((offset) => [
    offset.camera_id, inSeconds(offset.ahead_s), inSeconds(offset.error_s), offset.num_people,
    Math.abs(offset.ahead_s) > Math.max(0.5, 3 * offset.error_s) ? h("span", { className: "tag warn", title: t("passerby status prints the key that corrects it") }, t("wrong")) : t("ok"),
  ]));
}

function transits({ transits: found }, site) {
  if (!found.length) return null;
  const box = section(t("Observed transit times"), [t("from"), t("to"), t("people"), t("median"), t("10–90 %")],
    found.map((transit) => [transit.from, transit.to, transit.num, duration(transit.median_s), `${duration(transit.p10_s)} – ${duration(transit.p90_s)}`]));
  box.querySelector("h2").after(transitGraph({ cameras: site.cameras, areas: site.areas, transits: found }));
  return box;
}

function calibration({ calibration: curve, answers, status }) {
  if (!curve) return null;
  const match = status?.match;
  return h("section", { className: "card" }, h("h2", {}, t("Calibration")), calibrationCurve(curve),
    h("p", { className: "small" }, curve.is_learned ? t("The current calibration, learned from {count} pairs that certainly showed two people. Drift since training: {drift} standard deviations.", { count: match.calibration_labels, drift: decimal(match.calibration_drift, 2) }) : t("The calibration with which the run began.")),
    answers.some((bin) => bin.num) ? reliability(answers) : h("p", { className: "soft small" }, tx("A chart here compares the answers in the {queue} with the pipeline’s probabilities.", { queue: h("a", { href: "#/review" }, t("review queue")) })));
}

function section(title, titles, rows) {
  return h("section", { className: "card" }, h("h2", {}, title), h("div", { className: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, titles.map((each, index) => h("th", { className: index > 1 ? "r" : "" }, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => h("td", { className: index > 1 ? "r" : "" }, cell instanceof Node ? cell : String(cell)))))))));
}
