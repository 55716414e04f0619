// The floor plan: people moving on the ground of the site, live and at any moment before, with numbers, names and trails.

import { keep, shown as inAddress } from "./address.js";
import { get, socket } from "./api.js";
import { h, put } from "./dom.js";
import { duration, eventTime, moment, parseTime } from "./format.js";
import { drawPlan } from "./floor_drawing.js";
import { LiveWalks, StoredWalks } from "./floor_walks.js";
import { t } from "./language.js";

const LENGTHS = [60, 300, 900, 3600];
const SPEEDS = [0.5, 1, 2, 4, 10];

export async function page(root, context) {
  const head = h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Floor plan")), h("p", {}, t("Where people stand on the ground. The tail shows the last 20 seconds. Select a person to see where they went."))));
  const found = await get("floor");
  if (!found.cameras.length) {
    put(root, head, h("div", { className: "empty" }, h("p", {}, t("The ground is not known in any camera.")), h("p", {}, t("Set ground points of the cameras on the page Site, or write site.ground."))));
    return null;
  }
  let extent = found.extent;
  const asked = inAddress();
  let isLive = context.site.is_live && asked.at === undefined;
  let at = Number(asked.at ?? NaN);
  if (!Number.isFinite(at)) at = extent?.[0] ?? 0;
  let [length, from, isPlaying, speed, frame, before, names, socketNow, savedAt] = [300, null, false, 1, 0, 0, {}, null, 0];
  const live = new LiveWalks();
  let stored = new StoredWalks([]);

  const plan = h("div", { className: "map floor" });
  const clock = h("b", { className: "num clock" });
  const note = h("p", { className: "soft", role: "status" });
  const toggle = h("button", { className: "main", "data-key": "play", onclick: () => setPlaying(!isPlaying) }, t("Play"));
  const slider = h("input", { type: "range", step: 0.1, "aria-label": t("Time"), oninput: () => seek(Number(slider.value)) });
  const bar = h("div", { className: "bar" });
  const choice = (key, label, values, value, text, change) => h("label", {}, label, h("select", { "data-key": key, onchange: (event) => change(Number(event.target.value)) },
    values.map((each) => h("option", { value: each, selected: each === value }, text(each)))));
  put(root, head, h("div", { className: "stack" }, plan,
    h("section", { className: "card controls", "aria-label": t("Time") }, bar, note,
      found.without_ground.length ? h("p", { className: "soft small" }, t("Not shown, because their ground is not known: {cameras}.", { cameras: found.without_ground.join(", ") })) : null)));

  function drawBar() {
    put(bar,
      context.site.is_live ? h("button", { className: isLive ? "main" : "", "data-key": "live", "aria-pressed": String(isLive), onclick: goLive }, t("Live")) : null,
      isLive ? null : [toggle, clock, slider, choice("speed", t("Speed"), SPEEDS, speed, (each) => `× ${each}`, (each) => { speed = each; }),
        choice("span", t("Span"), LENGTHS, length, duration, (each) => { length = each; load(true); }),
        moment(t("Go to"), "", (value) => { if (parseTime(value) !== null) seek(parseTime(value)); }, "go to", context.isElapsed)],
      isLive && extent ? h("button", { "data-key": "replay", onclick: () => seek(extent[1] - 30) }, t("Replay")) : null);
  }

  function goLive() {
    [isLive, isPlaying] = [true, false];
    keep({});
    drawBar();
    connect();
  }

  function connect() {
    socketNow?.close();
    socketNow = null;
    if (!isLive || document.hidden) return;
    const query = new URLSearchParams({ cameras: JSON.stringify(found.cameras), pictures: "no" });
    const mine = socket(`/api/live?${query}`, { binary: true, message: (data) => live.take(data), closed: () => { if (socketNow === mine) { socketNow = null; setTimeout(() => { if (isLive) connect(); }, 1500); } } });
    socketNow = mine;
  }

  // Reads the walks around the moment that is shown.
  async function load(isForced = false) {
    if (!isForced && from !== null && from <= at && at <= from + length) return;
    from = Math.max(extent[0], Math.min(at - length / 10, extent[1] - length));
    const answer = await get("floor/walks", { since: from - 20, until: from + length });
    stored = new StoredWalks(answer.walks);
    names = answer.names;
    [slider.min, slider.max] = [from, Math.min(extent[1], from + length)];
    put(note, answer.is_cut ? t("There are more walks than are shown; choose a shorter span.") : stored.isEmpty(from, from + length) ? t("Nobody walked here in this span.") : "");
    point();
  }

  function seek(moment) {
    if (!extent) return;
    if (isLive) {
      isLive = false;
      connect();
      drawBar();
    }
    at = Math.min(Math.max(moment, extent[0]), extent[1]);
    load().catch((error) => put(note, error.message));
    point();
    keep({ at: at.toFixed(1) });
  }

  function setPlaying(wanted) {
    isPlaying = wanted;
    put(toggle, isPlaying ? t("Pause") : t("Play"));
    if (isPlaying && at >= extent[1]) seek(extent[0]);
  }

  function point() {
    const text = eventTime(at);
    if (clock.textContent !== text) put(clock, text);
    if (document.activeElement !== slider || isPlaying) slider.value = at;
    slider.setAttribute("aria-valuetext", text);
  }

  function tick(now) {
    const passed = Math.min(0.5, (now - before) / 1000);
    before = now;
    if (isPlaying && !document.hidden) {
      at = Math.min(extent[1], at + passed * speed);
      if (at >= extent[1]) setPlaying(false);
      if (at > from + length) load().catch(() => {});
      point();
      if (now - savedAt > 2000) [savedAt] = [now, keep({ at: at.toFixed(1) })];
    }
    const people = isLive ? live.people(now) : stored.people(at);
    draw(people.map((each) => ({ ...each, name: names[each.person] ?? "" })));
    frame = requestAnimationFrame(tick);
  }

  const { floor_plan: picture } = await get("site");
  const draw = drawPlan(plan, found.areas, () => [...stored.places(), ...live.places()], picture);
  const refresh = async () => {
    const now = await get("floor");
    extent = now.extent ?? extent;
    if (isLive && extent) ({ names } = await get("floor/walks", { since: extent[1] - 60, until: extent[1] + 1 }));
  };
  if (isLive) await refresh();
  else if (extent) await load(true);
  else put(note, t("Nobody has walked here so far."));
  drawBar();
  connect();
  document.addEventListener("visibilitychange", connect);
  context.listeners.add(refresh);
  frame = requestAnimationFrame(tick);
  return () => {
    isLive = false;
    document.removeEventListener("visibilitychange", connect);
    cancelAnimationFrame(frame);
    socketNow?.close();
  };
}
