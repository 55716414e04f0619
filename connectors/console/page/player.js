// Plays the clips of sightings one after the other: an alert, or the journey of a person from camera to camera.

import { dialog, h, put } from "./dom.js";
import { eventTime } from "./format.js";
import { t } from "./language.js";

// The address of the clip of an alert: the seconds around it, at the camera's rate.
export function alertClip(key) {
  return `/api/alerts/clip?key=${encodeURIComponent(key)}`;
}

// Opens a dialog that plays a film, which can be saved too.
export function playFilm(title, url) {
  const note = h("p", { className: "soft", role: "status" });
  const video = h("video", { src: url, controls: true, autoplay: true, muted: true, playsInline: true, "aria-label": title,
    onerror: () => put(note, t("This film cannot be played: it is not kept any more, or the browser does not know its format.")) });
  dialog(title, h("div", { className: "player" }, video, note),
    h("form", { method: "dialog", className: "buttons" }, h("a", { className: "button", href: url, download: "" }, t("Save")), h("button", {}, t("Close"))));
}

const FRAME_MS = 250;
const MAX_CLIPS = 300;

// Opens a dialog that plays the clips of these parts of tracks, in this order; clips that are not kept are left out. The
// same is offered as a film to save, where there is an address of one.
export function play(title, parts, film = null) {
  const frames = [];
  let now = 0;
  let isRunning = true;
  const canvas = h("canvas", { width: 320, height: 240, role: "img", "aria-label": title });
  const caption = h("p", { className: "num", "aria-live": "off" }, t("Loading…"));
  const slider = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("Time"), oninput: () => { isRunning = false; toggle.textContent = t("Play"); show(Number(slider.value)); } });
  const toggle = h("button", { onclick: () => { isRunning = !isRunning; toggle.textContent = isRunning ? t("Pause") : t("Play"); if (isRunning && now >= frames.length - 1) now = -1; } }, t("Pause"));
  const save = film && h("a", { className: "button hidden", href: film, download: "" }, t("Save as film"));
  const box = dialog(title, h("div", { className: "player" }, canvas, caption, h("div", { className: "bar" }, toggle, slider)),
    h("form", { method: "dialog", className: "buttons" }, save, h("button", {}, t("Close"))));

  function show(index) {
    now = index;
    const { image, left, width, camera, at } = frames[index];
    [canvas.width, canvas.height] = [width, image.height];
    canvas.getContext("2d").drawImage(image, left, 0, width, image.height, 0, 0, width, image.height);
    canvas.dataset.frame = index;
    slider.value = index;
    put(caption, t("{camera}, {time} ({index} of {count})", { camera, time: eventTime(at), index: index + 1, count: frames.length }));
  }

  const timer = setInterval(() => {
    if (!box.isConnected) { clearInterval(timer); return; }
    if (isRunning && now + 1 < frames.length) show(now + 1);
    else if (isRunning && frames.length && canvas.dataset.frame === undefined) show(0);
  }, FRAME_MS);

  load();
  async function load() {
    for (const each of parts.slice(0, MAX_CLIPS)) {
      if (!box.isConnected) return;
      const answer = await fetch(`/api/clip?${new URLSearchParams({ track: each.track, part: each.part })}`).catch(() => null);
      if (!answer?.ok) continue;
      const times = JSON.parse(answer.headers.get("x-captured-at"));
      const image = await createImageBitmap(await answer.blob()).catch(() => null);
      if (!image) continue;
      const width = Math.floor(image.width / times.length);
      const camera = each.track.split("/").slice(0, -2).join("/");
      times.forEach((at, index) => frames.push({ image, left: index * width, width, camera, at }));
      slider.max = frames.length - 1;
    }
    save?.classList.toggle("hidden", !frames.length);
    if (!frames.length) put(caption, t("No clip of this is kept."));
    box.dataset.loaded = frames.length;
  }
}
