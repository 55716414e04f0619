// The newest picture of every camera, with a box around each person in that person's colour.

import { get, socket } from "./api.js";
import { isLost } from "./connection.js";
import { h, put } from "./dom.js";
import { colour, decimal, eventTime, inSeconds, personLink } from "./format.js";
import { t, tn } from "./language.js";
import { liveLayout } from "./live_layout.js";
import { LiveVideo } from "./live_video.js";
import { searchFor } from "./similarity.js";

const SILENT_MS = 4000;
const OLD_MS = 10000;
const SITE_EVERY = 3; // looks at the health for one at the site, which cameras join and leave
const MAX_VIDEOS = 4; // more cameras at once are shown as pictures
const KNOWN_S = 1; // so long before a picture of a video, who was seen is still right
const decoder = new TextDecoder();

export async function page(root, context) {
  let [seen, pictures, isOver, numPolls] = [[], null, false, 0];
  const tiles = new Map();
  const wall = h("div", { className: "cameras" });
  const elements = new Map();
  takeCameras();
  const layout = liveLayout(wall, elements, context.site.camera_groups, (cameras) => { if (cameras.join() !== seen.join()) { seen = cameras; reconnect(); showVideos(); } });
  put(root,
    h("div", { className: "head" },
      h("div", { className: "grow" }, h("h1", {}, t("Live")), h("p", {}, t("Select a person in a picture to see where they went."), context.may("operator") ? ` ${t("Select a person without a number to search by picture.")}` : null)),
      context.site.is_live ? layout.bar : null),
    context.site.is_live ? null : h("div", { className: "empty" },
      h("p", {}, t("This run has ended. There are no live pictures.")), h("p", {}, h("a", { href: "#/people" }, t("Show the people who were seen")))),
    wall);
  if (!context.site.is_live) {
    layout.end();
    return null;
  }

  // Gives each camera of the site its tile, in the order of the site. Returns whether they are others than before.
  function takeCameras() {
    const { cameras } = context.site;
    if (cameras.join() === [...tiles.keys()].join()) return false;
    const before = new Map(tiles);
    tiles.clear();
    elements.clear();
    for (const camera of cameras) {
      tiles.set(camera, before.get(camera) ?? tile(camera, context.may("operator"), () => layout.enlarge(camera)));
      elements.set(camera, tiles.get(camera).element);
    }
    return true;
  }

  // Asks for the pictures of the cameras that are seen, and of no others.
  function reconnect() {
    const mine = pictures;
    pictures = null;
    mine?.close();
    connect();
  }

  // Few cameras are shown by live video, where there is a server of it.
  function showVideos() {
    const videos = context.site.live_video ?? [];
    const isFew = !document.hidden && !isOver && seen.length <= MAX_VIDEOS && LiveVideo.isPossible();
    for (const [camera, each] of tiles) {
      const isWanted = isFew && seen.includes(camera) && videos.includes(camera);
      if (isWanted && !each.video) each.video = new LiveVideo(camera);
      if (!isWanted && each.video) { each.video.end(); each.video = null; }
    }
  }

  function paintVideos() {
    for (const each of tiles.values()) if (each.video) paintVideo(each);
    if (!isOver) requestAnimationFrame(paintVideos);
  }

  function connect() {
    if (document.hidden || isOver || !seen.length) {
      pictures?.close();
      pictures = null;
    } else if (!pictures) {
      const mine = socket(`/api/live?${new URLSearchParams({ cameras: JSON.stringify(seen) })}`, {
        binary: true,
        message: (data) => draw(data, tiles),
        closed: (event) => { if (pictures === mine) { pictures = null; setTimeout(connect, event.code === 4408 ? 0 : 1500); } },
      });
      pictures = mine;
    }
  }
  const poll = async () => {
    if (document.hidden || isOver) return;
    numPolls += 1;
    if (numPolls % SITE_EVERY === 0) {
      Object.assign(context.site, await get("site").catch(() => ({})));
      if (!isOver && takeCameras()) layout.show();
      showVideos();
    }
    const { status } = await get("health").catch(() => ({ status: null }));
    for (const [camera, each] of tiles) showStatus(each, status?.cameras?.[camera]);
  };
  const turned = () => { connect(); showVideos(); };
  document.addEventListener("visibilitychange", turned);
  const timer = setInterval(poll, 2000);
  const ticking = setInterval(() => { for (const each of tiles.values()) tick(each); }, 250);
  layout.show();
  paintVideos();
  await poll();
  return () => {
    isOver = true;
    showVideos();
    layout.end();
    clearInterval(timer);
    clearInterval(ticking);
    document.removeEventListener("visibilitychange", turned);
    connect();
  };
}

function tile(camera, maySearch, enlarge) {
  const canvas = h("canvas", { width: 640, height: 360, role: "img", "aria-label": t("Camera {camera}", { camera }) });
  const [people, fps, lag, state] = [h("span"), h("span"), h("span"), h("span", { className: "tag hidden" })];
  const who = h("div", { className: "who" });
  const each = { camera, canvas, people, fps, lag, state, who, shown: "", boxes: [], clean: null, maySearch, at: 0, shownAt: null, lagMs: 0, isDrawing: false, waiting: null, video: null, headers: [] };
  canvas.onclick = (event) => {
    const frame = canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
    const hits = each.boxes.filter(({ box, person }) => (person || maySearch) && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    hits.sort((one, two) => area(one.box) - area(two.box));
    if (hits.length && hits[0].person) location.hash = `#/person/${hits[0].person}`;
    else if (hits.length) searchByBox(each.clean, hits[0].box);
  };
  each.element = h("figure", { className: "camera", "data-camera": camera }, canvas, h("figcaption", {},
    h("div", { className: "line num" }, h("b", {}, camera), people, fps, lag, state,
      h("button", { className: "plain enlarge", "data-key": `enlarge ${camera}`, "aria-label": t("Show {camera} alone, or go back", { camera }), onclick: enlarge }, "⤢")), who));
  return each;
}

// A button that searches for a person without a number, for those who use no mouse.
function searchButton(each, track) {
  return h("button", { className: "person unknown", "data-key": `who ${track}`, "aria-label": t("Search for a person without a number"), onclick: () => {
    const now = each.boxes.find((one) => one.track === track);
    if (now) searchByBox(each.clean, now.box);
  } }, "?");
}

// Searches by the part of a picture inside a box.
function searchByBox(picture, [left, top, right, bottom]) {
  const [width, height] = [picture.width, picture.height];
  const cut = h("canvas", { width: Math.max(16, (right - left) * width), height: Math.max(16, (bottom - top) * height) });
  cut.getContext("2d").drawImage(picture, left * width, top * height, (right - left) * width, (bottom - top) * height, 0, 0, cut.width, cut.height);
  cut.toBlob((file) => searchFor(file), "image/jpeg", 0.95);
}

function area(box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

function showStatus(each, status) {
  if (!status) return;
  if (!each.at) showCount(each, status.people_now);
  put(each.fps, t("{number} fps", { number: decimal(status.fps) }));
  each.lagMs = 1000 * status.lag_s;
  const isLost = Boolean(status.error) || (each.at > 0 && Date.now() - each.at > SILENT_MS && status.fps === 0);
  each.element.classList.toggle("lost", isLost);
  each.state.className = isLost ? "tag bad" : status.reopens ? "tag warn" : "tag hidden";
  put(each.state, isLost ? (status.error ? t("lost") : t("no picture")) : t("reconnected {count}×", { count: status.reopens }));
}

function showCount(each, count) {
  put(each.people, tn("{count} person", "{count} people", count));
}

// The age of a picture since it was captured, which goes on while no other comes: how late the camera's process was when it
// sent the picture, and the time since.
function tick(each) {
  if (each.shownAt === null) return;
  const age = Math.max(0, each.lagMs + Date.now() - each.shownAt);
  put(each.lag, t("{duration} old", { duration: inSeconds(age / 1000) }));
  each.element.classList.toggle("old", isLost() || age > OLD_MS);
}

async function draw(data, tiles) {
  const length = new DataView(data).getUint32(0);
  const header = JSON.parse(decoder.decode(new Uint8Array(data, 4, length)));
  const each = tiles.get(header.camera);
  if (!each) return;
  each.headers = [...each.headers.slice(-60), header];
  each.waiting = { header, jpeg: new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) };
  if (each.isDrawing) return;
  each.isDrawing = true;
  while (each.waiting) {
    const { header: newest, jpeg } = each.waiting;
    each.waiting = null;
    if (each.video && each.video.at() !== null) continue; // the video is shown, with what the header says
    const image = await createImageBitmap(jpeg).catch(() => null);
    if (image) paint(each, newest, image);
    each.shownAt = newest.shown_at * 1000;
  }
  each.isDrawing = false;
}

// The picture of a video, with those who were seen at its moment. It waits for them: they are known some time after.
function paintVideo(each) {
  const { video, headers } = each;
  const at = video.at();
  video.follow(headers.at(-1)?.captured_at ?? Infinity);
  const { videoWidth: width, videoHeight: height } = video.element;
  const number = video.element.getVideoPlaybackQuality().totalVideoFrames;
  if (at === null || !width || number === each.videoNumber) return;
  each.videoNumber = number;
  const then = headers.findLast(({ captured_at: captured }) => captured <= at + 0.05);
  const known = then && at - then.captured_at < KNOWN_S ? then : { people: [], shapes: then?.shapes ?? [], index: -1 };
  const picture = each.clean instanceof HTMLCanvasElement ? each.clean : h("canvas");
  if (picture.width !== width || picture.height !== height) [picture.width, picture.height] = [width, height];
  picture.getContext("2d").drawImage(video.element, 0, 0);
  paint(each, { ...known, captured_at: at }, picture);
  each.shownAt = at * 1000 + each.lagMs;
  Object.assign(each.canvas.dataset, { video: at.toFixed(3), seen: known === then ? then.captured_at.toFixed(3) : "" });
}

// Zones and lines of alerts, with their names.
function drawShapes(pen, shapes, canvas, unit) {
  pen.setLineDash([]);
  pen.font = `500 ${11 * unit}px system-ui, sans-serif`;
  for (const { name, is_zone: isZone, points } of shapes) {
    pen.lineWidth = (isZone ? 1.5 : 2.5) * unit;
    pen.strokeStyle = isZone ? "#ffc400" : "#ff5a5a";
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(x * canvas.width, y * canvas.height);
    if (isZone) pen.closePath();
    pen.stroke();
    const [x, y] = points.reduce((top, point) => (point[1] < top[1] ? point : top));
    const [left, top] = [Math.max(0, x * canvas.width), Math.max(8 * unit, y * canvas.height - 8 * unit)];
    pen.fillStyle = "#202228cc";
    pen.fillRect(left, top - 8 * unit, pen.measureText(name).width + 8 * unit, 16 * unit);
    pen.fillStyle = "#ffffff";
    pen.fillText(name, left + 4 * unit, top + unit);
  }
}

function paint(each, header, image) {
  const { canvas } = each;
  if (canvas.width !== image.width || canvas.height !== image.height) {
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.style.aspectRatio = `${image.width} / ${image.height}`;
    canvas.style.setProperty("--aspect", image.width / image.height);
  }
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  if (each.clean !== image) each.clean?.close?.();
  each.clean = image;
  each.at = Date.now();
  each.boxes = header.people;
  showCount(each, header.people.length);
  canvas.dataset.frame = header.index;
  const unit = canvas.width / 640;
  pen.font = `600 ${13 * unit}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  drawShapes(pen, header.shapes ?? [], canvas, unit);
  pen.font = `600 ${13 * unit}px system-ui, sans-serif`;
  for (const { person, box } of header.people) {
    const [left, top] = [box[0] * canvas.width, box[1] * canvas.height];
    const { css, ink } = person ? colour(person) : { css: "#c9ced4", ink: "#14171a" };
    pen.lineWidth = 2.5 * unit;
    pen.strokeStyle = css;
    pen.setLineDash(person ? [] : [5 * unit, 4 * unit]);
    pen.strokeRect(left, top, (box[2] - box[0]) * canvas.width, (box[3] - box[1]) * canvas.height);
    if (!person) continue;
    const text = String(person);
    const [width, height] = [pen.measureText(text).width + 10 * unit, 19 * unit];
    const y = Math.max(0, top - height);
    pen.fillStyle = css;
    pen.fillRect(left - pen.lineWidth / 2, y, width, height);
    pen.fillStyle = ink;
    pen.fillText(text, left + 4 * unit, y + height / 2 + unit);
  }
  const persons = [...new Set(header.people.map(({ person }) => person).filter(Boolean))].sort((one, two) => one - two);
  const key = persons.join();
  const unknown = header.people.filter(({ person }) => !person).map(({ track }) => track).sort();
  const shown = `${key}|${unknown.join()}`;
  canvas.setAttribute("aria-label", t("Camera {camera} at {time}, people {people}", { camera: each.camera, time: eventTime(header.captured_at), people: key || t("none") }));
  if (shown !== each.shown || !each.who.childNodes.length) {
    each.shown = shown;
    put(each.who, persons.map((person) => personLink(person)), each.maySearch ? unknown.map((track) => searchButton(each, track)) : unknown.length ? h("span", { className: "soft small" }, tn("{count} without a number yet", "{count} without a number yet", unknown.length)) : null, persons.length || unknown.length ? null : h("span", { className: "soft small" }, t("no one")));
  }
}
