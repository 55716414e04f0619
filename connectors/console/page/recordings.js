// Plays what all cameras recorded, at one common time; follows a person from camera to camera; saves a span.

import { keep, shown as inAddress } from "./address.js";
import { get } from "./api.js";
import { addButtons, dialog, h, put } from "./dom.js";
import { duration, eventTime, moment, parseTime, signed } from "./format.js";
import { t, tx } from "./language.js";
import { RecordedVideo } from "./recorded_video.js";
import { scrubber } from "./scrubber.js";
import { segments } from "./timeline.js";

const LENGTHS = [60, 300, 3600, 21600, 86400];
const SPEEDS = [0.5, 1, 2, 4];
const MAX_SHOWN = 6; // cameras at first; more may be chosen
const REFRESH_MS = 10000;
const HOLD_MS = 4000; // the longest wait for one slow camera; then the others go on
const LEAD_S = 1; // before a sighting, when a person is followed
const EXPORT_S = 3600;

export async function page(root, context) {
  const head = h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Recordings")), h("p", {}, t("What all cameras recorded, at one time. Drag the time axis, or follow a person."))));
  const { cameras: found } = await get("recordings");
  const kept = found.filter((each) => each.extent);
  if (!kept.length) {
    put(root, head, h("div", { className: "empty" }, h("p", {}, t("No video is recorded.")), h("p", {}, tx("Start a run with the sink {sink}.", { sink: h("code", {}, "recording") }))));
    return null;
  }
  const cameras = found.map((each) => each.camera);
  const extent = [Math.min(...kept.map((each) => each.extent[0])), Math.max(...kept.map((each) => each.extent[1]))];
  const asked = inAddress();
  const shown = new Set(asked.cameras ? JSON.parse(asked.cameras).filter((each) => cameras.includes(each)) : kept.slice(0, MAX_SHOWN).map((each) => each.camera));
  const videos = new Map(cameras.map((camera) => [camera, new RecordedVideo(camera)]));
  let at = Number(asked.at ?? NaN);
  if (!Number.isFinite(at)) at = context.site.is_live ? Math.max(extent[0], extent[1] - 60) : extent[0];
  at = Math.min(Math.max(at, extent[0]), extent[1]);
  const whole = extent[1] - extent[0];
  const lengths = context.site.is_live || whole > LENGTHS.at(-1) ? LENGTHS : [...LENGTHS.filter((each) => each < whole), whole];
  let length = Math.min(lengths.at(-1), 3600);
  let from = null;
  let [spans, sightings, alerts] = [{}, [], []];
  let person = Number(asked.person) || null;
  let [isPlaying, isFollowing, speed] = [false, Boolean(asked.follow), 1];
  let [heldSince, frame, before, savedAt] = [null, 0, 0, 0];

  const axis = scrubber({ seek, choose: (camera, isShown) => { if (isShown) shown.add(camera); else shown.delete(camera); layOut(); remember(); } });
  const clock = h("b", { className: "num clock", "aria-live": "off" });
  const toggle = h("button", { className: "main", "data-key": "play", onclick: () => setPlaying(!isPlaying) }, t("Play"));
  const slider = h("input", { type: "range", step: 1, "aria-label": t("Time"), oninput: () => seek(Number(slider.value)) });
  const tiles = h("div", { className: "cameras" });
  const bar = h("div", { className: "bar" });
  const note = h("p", { className: "soft", role: "status" });
  const jumps = [["back", t("{number} s", { number: signed(-10, 0) }), () => seek(at - 10)], ["forward", t("{number} s", { number: signed(10, 0) }), () => seek(at + 10)], ["previous", t("Previous mark"), () => toMark(-1)], ["next", t("Next mark"), () => toMark(1)]]
    .map(([key, text, onclick]) => h("button", { "data-key": key, onclick }, text));
  put(root, head, h("div", { className: "stack" }, tiles,
    h("section", { className: "card controls", "aria-label": t("Time") }, h("div", { className: "bar" }, toggle, jumps, clock, slider), bar, note, axis.element)));

  const choice = (key, label, values, value, text, change) => h("label", {}, label, h("select", { "data-key": key, onchange: (event) => change(Number(event.target.value)) },
    values.map((each) => h("option", { value: each, selected: each === value }, text(each)))));

  function drawBar() {
    put(bar,
      choice("speed", t("Speed"), SPEEDS, speed, (each) => `× ${each}`, (each) => { speed = each; }),
      choice("axis", t("Axis"), lengths, length, duration, (each) => { length = each; load(); }),
      moment(t("Go to"), "", (value) => { if (parseTime(value) !== null) seek(parseTime(value)); }, "go to", context.isElapsed),
      h("label", {}, t("Person"), h("input", { type: "number", min: 1, value: person ?? "", style: { width: "6em" }, "data-key": "person", onchange: (event) => choosePerson(Number(event.target.value) || null) })),
      h("label", {}, t("Follow"), h("input", { type: "checkbox", checked: isFollowing, disabled: !person, "data-key": "follow", onchange: (event) => { isFollowing = event.target.checked; remember(); } })),
      context.may("operator") ? h("button", { "data-key": "save", onclick: save }, t("Save a span…")) : null);
  }

  function layOut() {
    for (const [camera, video] of videos) if (!shown.has(camera)) video.close();
    put(tiles, [...videos].filter(([camera]) => shown.has(camera)).map(([, video]) => video.element));
    draw();
  }

  function draw() {
    axis.draw({ from, until: from + length, cameras, shown, spans, sightings, alerts, person });
    slider.min = Math.floor(from);
    slider.max = Math.ceil(from + length);
    point();
  }

  function point() {
    const text = eventTime(at);
    if (clock.textContent !== text) put(clock, text);
    if (document.activeElement !== slider || isPlaying) slider.value = at;
    slider.setAttribute("aria-valuetext", text);
    axis.point(at);
    for (const [camera, video] of videos) video.element.classList.toggle("here", sightings.some((each) => each.camera === camera && each.from <= at && at <= each.until));
  }

  // Reads what there is around the moment that is shown.
  async function load() {
    if (from === null || !(from <= at && at < from + length)) from = Math.max(Math.min(at - length / 10, extent[1] - length), Math.min(extent[0], at));
    const range = { since: from, until: from + length };
    const [video, raised] = await Promise.all([get("recordings/spans", range), get("alerts", { ...range, limit: 1000 })]);
    ({ spans } = video);
    alerts = raised.alerts.filter((each) => each.state !== "retracted");
    for (const [camera, each] of videos) each.setSpans(spans[camera] ?? []);
    draw();
  }

  async function choosePerson(number) {
    [person, sightings] = [number, []];
    put(note);
    if (number) {
      try {
        const found = await get(`people/${number}`);
        person = found.person;
        sightings = segments(found.sightings);
        if (asked.at === undefined && sightings.length && !sightings.some((each) => each.from <= at && at <= each.until)) seek(sightings[0].from - LEAD_S);
      } catch (error) {
        [person, isFollowing] = [null, false];
        put(note, error.message);
      }
    }
    remember();
    drawBar();
    draw();
  }

  function seek(moment) {
    at = Math.min(Math.max(moment, extent[0]), extent[1]);
    heldSince = null;
    root.dataset.shown = "no";
    if (from <= at && at < from + length) point();
    else load().catch((error) => put(note, error.message));
    remember();
  }

  function toMark(step) {
    const marks = [...sightings.map((each) => each.from), ...alerts.map((each) => each.raised_at)].sort((one, two) => step * (one - two));
    const next = marks.find((each) => step * (each - at) > 0.05);
    if (next === undefined) put(note, step > 0 ? t("There is no later mark.") : t("There is no earlier mark."));
    else { put(note); seek(next); }
  }

  function setPlaying(wanted) {
    isPlaying = wanted;
    root.dataset.shown = "no"; // until the pictures of this moment are there
    put(toggle, isPlaying ? t("Pause") : t("Play"));
    remember();
  }

  function remember() {
    savedAt = performance.now();
    keep({ at: at.toFixed(2), person, follow: isFollowing ? 1 : null, cameras: shown.size === cameras.length ? null : JSON.stringify([...shown]) });
  }

  // Where nobody else is to be followed, goes to the next sighting of the person.
  function skip() {
    if (!isFollowing || sightings.some((each) => each.from - LEAD_S <= at && at <= each.until + LEAD_S)) return;
    const next = sightings.filter((each) => each.from > at).sort((one, two) => one.from - two.from)[0];
    if (next) seek(next.from - LEAD_S);
    else { setPlaying(false); put(note, t("Person {person} is not seen after this.", { person })); }
  }

  function tick(now) {
    const passed = Math.min(0.5, (now - before) / 1000);
    before = now;
    const ready = [...videos].filter(([camera]) => shown.has(camera)).map(([, video]) => video.show(at, isPlaying, speed));
    heldSince = ready.every(Boolean) ? null : heldSince ?? now;
    root.dataset.shown = heldSince === null ? "yes" : "no";
    if (isPlaying && !document.hidden && (heldSince === null || now - heldSince > HOLD_MS)) {
      at += passed * speed;
      skip();
      if (at >= extent[1]) { at = extent[1]; setPlaying(false); }
      if (at >= from + length) load().catch(() => {});
      point();
      if (now - savedAt > 2000) remember();
    }
    frame = requestAnimationFrame(tick);
  }

  function save() {
    const links = h("ul", {});
    const warning = h("p", { className: "note hidden", role: "alert" });
    let span = [Math.max(extent[0], at - 15), Math.min(extent[1], at + 15)];
    const text = (value) => context.isElapsed ? eventTime(value) : new Date(value * 1000 - new Date(value * 1000).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
    const change = (index) => (value) => { span[index] = parseTime(value) ?? span[index]; show(); };
    async function show() {
      const isRight = span[1] > span[0] && span[1] - span[0] <= EXPORT_S;
      warning.classList.toggle("hidden", isRight);
      put(warning, isRight ? "" : t("Expected an end after the beginning, by an hour at most."));
      const there = isRight ? (await get("recordings/spans", { since: span[0], until: span[1] })).spans : {};
      put(links, [...shown].filter((camera) => there[camera]?.length).map((camera) => {
        const query = new URLSearchParams({ camera, since: span[0], until: span[1] });
        const isWhole = there[camera].length === 1 && there[camera][0][0] <= span[0] + 1 && there[camera][0][1] >= span[1] - 1;
        return h("li", {}, h("a", { href: `/api/recordings/export.mp4?${query}`, download: "" }, t("Save {camera}", { camera })),
          isWhole ? null : h("span", { className: "soft small" }, " ", t("Not all of it was recorded; where a part is missing, the last picture stands.")));
      }));
      if (isRight && !links.children.length) put(links, h("li", {}, t("None of the cameras shown recorded this span.")));
    }
    const box = dialog(t("Save a span"), h("p", { className: "soft" }, t("Everybody in it can be recognised. Who saved what is in the audit.")),
      h("div", { className: "bar" }, moment(t("From"), text(span[0]), change(0), "save from", context.isElapsed), moment(t("To"), text(span[1]), change(1), "save to", context.isElapsed)), warning, links);
    addButtons(box);
    return show();
  }

  drawBar();
  await load();
  layOut();
  if (person) await choosePerson(person);
  frame = requestAnimationFrame(tick);
  const timer = setInterval(refresh, REFRESH_MS);

  // New video comes at the end; what was erased goes.
  async function refresh() {
    if (document.hidden) return;
    const now = (await get("recordings")).cameras.filter((each) => each.extent);
    if (now.length) [extent[0], extent[1]] = [Math.min(...now.map((each) => each.extent[0])), Math.max(...now.map((each) => each.extent[1]))];
    await load();
  }
  context.listeners.add(refresh);
  return () => {
    cancelAnimationFrame(frame);
    clearInterval(timer);
    for (const video of videos.values()) video.close();
  };
}
