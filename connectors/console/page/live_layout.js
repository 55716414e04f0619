// How the cameras of the live page are laid out: how many at once, which group, full screen. Kept in the address, groups in
// this browser.

import { keep, shown as inAddress } from "./address.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { t } from "./language.js";

const LAYOUTS = ["fit", "1", "4", "9", "16"];
const GAP = 12;
const NARROW = 700; // pixels below which pictures are one below the other, as on a phone
const STORED = "passerby camera groups";

// Lays `tiles` (by camera) out in `wall`; `shown` is told which cameras are to be seen. Returns the controls and what ends it.
export function liveLayout(wall, tiles, groupsOfSite, shown) {
  const asked = inAddress();
  let layout = LAYOUTS.includes(asked.layout) ? asked.layout : "fit";
  let group = asked.group ?? "";
  let first = Number(asked.first) || 0;
  let before = null; // what an enlarged camera goes back to
  const bar = h("div", { className: "bar" });

  const groups = () => ({ ...groupsOfSite, ...own() });
  const cameras = () => (groups()[group] ?? [...tiles.keys()]).filter((camera) => tiles.has(camera));
  const num = () => (layout === "fit" ? cameras().length : Number(layout));

  function show() {
    const all = cameras();
    first = Math.min(Math.max(0, first), Math.max(0, all.length - 1));
    first -= first % num();
    const now = all.slice(first, first + num());
    put(wall, now.map((camera) => tiles.get(camera)));
    put(bar,
      choice("layout", t("Layout"), LAYOUTS.map((each) => [each, each === "fit" ? t("all, fitted") : t("{count} at once", { count: each })]), layout, (value) => { layout = value; first = 0; before = null; }),
      choice("group", t("Cameras"), [["", t("all")], ...Object.keys(groups()).map((name) => [name, name])], group, (value) => { group = value; first = 0; }),
      h("button", { "data-key": "groups", onclick: edit }, t("Groups…")),
      all.length > num() ? [
        h("button", { "data-key": "earlier", disabled: first === 0, onclick: () => turn(-num()) }, t("Previous")),
        h("span", { className: "num" }, t("{first}–{last} of {count}", { first: first + 1, last: first + now.length, count: all.length })),
        h("button", { "data-key": "later", disabled: first + num() >= all.length, onclick: () => turn(num()) }, t("Next"))] : null,
      document.fullscreenEnabled ? h("button", { "data-key": "full", onclick: full }, t("Full screen")) : null);
    keep({ layout: layout === "fit" ? "" : layout, group, first: first || "" });
    arrange();
    shown(now);
  }

  function choice(key, label, values, value, change) {
    return h("label", {}, label, h("select", { "data-key": key, onchange: (event) => { change(event.target.value); show(); } },
      values.map(([name, text]) => h("option", { value: name, selected: name === value }, text))));
  }

  function turn(by) {
    first += by;
    show();
  }

  // Shows one camera alone, and goes back.
  function enlarge(camera) {
    if (before) [layout, first, before] = [before.layout, before.first, null];
    else {
      before = { layout, first };
      [layout, first] = ["1", cameras().indexOf(camera)];
    }
    show();
  }

  function full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else wall.requestFullscreen().catch((error) => toast(error.message, { bad: true }));
  }

  // Chooses the columns with which the pictures are largest, and the height that each may have.
  function arrange() {
    const count = layout === "fit" ? wall.children.length : Number(layout);
    const isFull = document.fullscreenElement === wall;
    if (!count || (innerWidth < NARROW && !isFull)) {
      wall.classList.remove("fitted");
      return;
    }
    wall.classList.add("fitted");
    const caption = Math.max(0, ...[...wall.children].map((each) => each.lastElementChild.offsetHeight), 40);
    const width = isFull ? innerWidth : wall.clientWidth;
    const height = innerHeight - (isFull ? 0 : wall.getBoundingClientRect().top + scrollY) - GAP;
    const fits = (columns) => {
      const rows = Math.ceil(count / columns);
      const tall = (height - (rows - 1) * GAP) / rows - caption - 2;
      return { columns, tall, size: Math.min(tall, ((width - (columns - 1) * GAP) / columns) * (9 / 16)) };
    };
    const all = [...Array(count).keys()].map((index) => fits(index + 1));
    const best = layout === "fit" ? all.reduce((one, two) => (two.size > one.size + 0.5 ? two : one)) : fits(Math.sqrt(count));
    wall.style.setProperty("--columns", best.columns);
    wall.style.setProperty("--tall", `${Math.max(90, Math.floor(best.tall))}px`);
  }

  function edit() {
    const mine = own();
    const name = h("input", { maxLength: 60, "data-key": "group name" });
    const boxes = [...tiles.keys()].map((camera) => h("label", { className: "tick" }, h("input", { type: "checkbox", value: camera, checked: cameras().includes(camera) }), camera));
    const save = (groupsNow) => { localStorage.setItem(STORED, JSON.stringify(groupsNow)); box.close(); show(); };
    const box = dialog(t("Groups of cameras"),
      h("p", { className: "soft" }, t("Groups are kept in this browser. Those of the site are in its configuration, site.camera_groups.")),
      Object.keys(mine).map((each) => h("div", { className: "bar" }, h("b", {}, each), h("span", { className: "soft" }, mine[each].join(", ")),
        h("button", { onclick: () => { delete mine[each]; if (group === each) group = ""; save(mine); } }, t("Delete")))),
      h("label", {}, t("Name of a new group"), name), h("div", { className: "bar" }, boxes));
    addButtons(box, h("button", { className: "main", "data-key": "save group", onclick: () => {
      const chosen = boxes.map((each) => each.firstElementChild).filter((each) => each.checked).map((each) => each.value);
      const given = name.value.trim();
      if (!given || !chosen.length || groupsOfSite[given]) return toast(t("Give a new name, and choose a camera."), { bad: true });
      group = given;
      first = 0;
      return save({ ...mine, [given]: chosen });
    } }, t("Save group")));
  }

  const watch = new ResizeObserver(arrange);
  watch.observe(document.getElementById("main"));
  addEventListener("resize", arrange);
  wall.addEventListener("fullscreenchange", arrange);
  return { bar, show, enlarge, end: () => { watch.disconnect(); removeEventListener("resize", arrange); } };
}

// The groups that were made in this browser, by name.
function own() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch {
    return {};
  }
}
