// The site: zones and lines are drawn on the picture, rules are chosen, tried on what happened, and saved with a history.

import { get, send } from "./api.js";
import { camerasCard } from "./cameras.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { Drawing } from "./drawing.js";
import { eventTime, wallClock } from "./format.js";
import { floorPlanCard } from "./floor_plan.js";
import { groundCard } from "./ground.js";
import { t, told, tx } from "./language.js";
import { learnedCard, ofCameras } from "./learned.js";
import { rulesCard } from "./rules_form.js";
import { shapeRow } from "./shape_form.js";
import { add, drawn, write } from "./shapes.js";
import { still } from "./still.js";

const LEARNED = ["overlaps", "no_overlap", "transit_times", "offset_s"];
const UNLIMITED = /"unlimited"/g;
const APPLY_MS = 15000;
const STATES = {
  applied: ["good", t("The run follows these rules.")],
  waiting: ["warn", t("The run has not taken these rules yet.")],
  refused: ["bad", t("The run keeps its rules:")],
  next_start: ["", t("This run has ended. The next start follows these rules.")],
};

const MASKS_HOLD = t("A privacy mask covers everything that is seen, stored and shown at once; one that is taken away covers until the next start of the run. What was stored before stays as it is.");

let draft = null; // what is not saved yet; it outlives a look at another page

export async function page(root, context) {
  const { is_live: isLive } = context.site;
  let saved = await get("rules");
  const isStale = draft && draft.number !== saved.number;
  if (!draft || isStale) draft = fresh(saved);
  let camera = context.site.cameras[0];
  let size = [360, 640];
  const status = h("p", { "aria-live": "polite" });
  const bar = h("div", { className: "bar" });
  const list = h("div", { className: "stack" });
  const rules = h("div", { className: "stack" });
  const result = h("div", { className: "stack", "aria-live": "polite" });
  const past = h("div", { className: "stack" });
  const note = h("p", { className: "soft small" });
  const drawing = new Drawing((shape) => { write(draft.edits.site, shape, size); changed(); });
  const ground = groundCard(drawing, () => camera, () => size, draft, changed);
  const learned = learnedCard((saving) => follow(saving, saved.number, learnedSaved));
  const choice = h("select", { onchange: () => choose(choice.value) });
  put(root,
    h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Site")), status), bar),
    h("div", { className: "stack" }, result,
      h("div", { className: "two" },
        h("section", { className: "card drawing" }, h("div", { className: "bar" }, h("label", {}, t("Camera"), choice),
          h("button", { "data-key": "new zone", onclick: () => begin("zones") }, t("New zone")),
          h("button", { "data-key": "new line", onclick: () => begin("lines") }, t("New line")),
          h("button", { "data-key": "new mask", onclick: () => begin("masks") }, t("New privacy mask"))), drawing.canvas, note),
        h("section", { className: "card" }, h("h2", {}, t("Zones, lines and privacy masks")), list)),
      camerasCard(camerasChanged),
      learned.element,
      h("section", { className: "card" }, h("h2", {}, t("Rules")), rules),
      ground.element,
      floorPlanCard(context.site, ground.isPlacing, ground.place),
      h("section", { className: "card" }, h("h2", {}, t("As text")), asText()),
      h("section", { className: "card" }, h("h2", {}, t("Versions")), past)));

  function drawChoice() {
    put(choice, context.site.cameras.map((each) => h("option", { value: each, selected: each === camera }, each)));
  }

  // Takes the version that a change of the cameras made. What is drawn and not saved yet stays.
  async function camerasChanged() {
    Object.assign(context.site, await get("site"));
    saved = await get("rules");
    if (draft.isChanged) Object.assign(draft, { number: saved.number, edits: { ...draft.edits, site: { ...draft.edits.site, cameras: saved.edits.site.cameras } } });
    else Object.assign(draft, fresh(saved));
    drawChoice();
    drawBar();
    drawPast();
  }

  // Takes the version that a proposal made, or took back. What is drawn and not saved yet stays.
  function learnedSaved(found) {
    if (!draft.isChanged) return load(found);
    saved = found;
    draft.number = found.number;
    for (const key of LEARNED) {
      if (key in found.edits.site) draft.edits.site[key] = structuredClone(found.edits.site[key]);
      else delete draft.edits.site[key];
    }
    drawBar();
    drawPast();
    learned.refresh();
  }

  function fresh(found) {
    return { edits: structuredClone(found.edits), number: found.number, isChanged: false };
  }

  function text() {
    return JSON.stringify(draft.edits).replace(UNLIMITED, ".inf");
  }

  function changed() {
    draft.isChanged = true;
    drawBar();
    drawList();
  }

  function tell(words) {
    put(note, words);
  }

  async function choose(name) {
    camera = name;
    drawing.pending = null;
    const found = await still(camera, isLive);
    size = found?.frame_hw ?? size;
    drawing.show(found?.picture ?? null);
    tell(found ? t("Drag a corner to move it, or the middle of an edge to add one. The arrow keys move a selected zone.") : t("There is no picture of this camera now. Corners can be written as numbers."));
    ground.show();
    drawList();
  }

  function begin(kind) {
    const isZone = kind !== "lines";
    tell(kind === "masks" ? t("Select the corners of what is to be covered, one after the other; the first one, or Enter, ends it. Escape gives up.") : isZone ? t("Select the corners of the zone on the ground, one after the other; the first one, or Enter, ends it. Escape gives up.")
      : t("Select where the line begins and where it ends. Left and right are seen from its white point to its red one."));
    drawing.begin(isZone ? 3 : 2, isZone ? Infinity : 2, (points) => {
      const name = add(draft.edits.site, kind, camera, points);
      changed();
      drawing.selected = drawing.shapes.find((shape) => shape.name === name) ?? null;
      drawing.draw();
      tell(t("Name it, and save."));
      list.querySelector(`[data-shape="${CSS.escape(name)}"] input`)?.select();
    });
  }

  function drawList() {
    const selected = drawing.selected?.name;
    drawing.shapes = drawn(draft.edits.site, camera, size);
    drawing.selected = drawing.shapes.find((shape) => shape.name === selected) ?? null;
    drawing.draw();
    const others = [...Object.values(draft.edits.site.zones ?? {}), ...Object.values(draft.edits.site.lines ?? {}), ...Object.values(draft.edits.site.masks ?? {})].length - drawing.shapes.length;
    put(list, drawing.shapes.map((shape) => shapeRow(shape, draft.edits, size, changed)),
      drawing.shapes.length ? null : h("p", { className: "soft" }, t("Camera {camera} has no zone, no line and no mask. Draw one on the picture.", { camera })),
      drawing.shapes.some((shape) => shape.kind === "masks") ? h("p", { className: "note", "data-masks": "" }, MASKS_HOLD) : null,
      others ? h("p", { className: "soft small" }, t("{count} more of other cameras, or in metres on the ground.", { count: others })) : null);
  }

  function drawBar() {
    const [kind] = STATES[saved.state.name];
    put(status, draft.isChanged ? h("span", { className: "tag warn" }, t("not saved")) : h("span", { className: `tag ${kind}` }, saved.number ? t("version {number}", { number: saved.number }) : t("as configured")),
      " ", draft.isChanged ? t("Nothing holds before you save.") : stateText(saved.state));
    put(bar, h("button", { "data-key": "try", onclick: tryOut }, t("Try on this run")),
      h("button", { "data-key": "discard", disabled: !draft.isChanged, onclick: () => load(saved) }, t("Discard")),
      h("button", { className: "main", "data-key": "save", disabled: !draft.isChanged, onclick: save }, t("Save…")));
  }

  function load(found) {
    saved = found;
    Object.assign(draft, fresh(found));
    put(result);
    drawBar();
    drawList();
    drawRules();
    drawPast();
    learned.refresh();
  }

  function drawRules() {
    put(rules, rulesCard(draft.edits, saved.templates, () => { changed(); drawRules(); }));
  }

  function asText() {
    const field = h("textarea", { rows: 14, spellcheck: false, "aria-label": t("Zones, lines and rules as YAML"), className: "code" });
    const open = h("details", { ontoggle: async () => { if (open.open) field.value = (await checked(text()))?.text ?? field.value; } },
      h("summary", {}, tx("Everything above as YAML, the content of {file}", { file: h("code", {}, saved.path) })), field,
      h("div", { className: "bar" }, h("button", { onclick: async () => {
        const found = await checked(field.value);
        if (!found) return;
        draft.edits = found.edits;
        changed();
        drawRules();
        toast(t("Taken. Save to make it hold."));
      } }, t("Use this text"))));
    return open;
  }

  async function checked(written) {
    try {
      return await send("rules/check", { rules: written });
    } catch (error) {
      toast(error.message, { bad: true });
      return null;
    }
  }

  async function save() {
    const found = await checked(text());
    if (!found) return;
    const reason = h("input", { maxLength: 500, "aria-label": t("Reason"), placeholder: t("why, for the history") });
    const box = dialog(t("Save?"), h("p", {}, isLive ? t("Alerts follow at once. Counts and films follow from the next start of the run, and so does who is who where the ground changes.") : t("The next start of the run follows this.")), 
      JSON.stringify(draft.edits.site.masks) === JSON.stringify(saved.edits.site.masks) ? null : h("p", { className: "note" }, MASKS_HOLD), difference(found.diff), reason);
    addButtons(box, h("button", { className: "main", onclick: () => { box.close(); follow(send("rules", { rules: text(), base: draft.number, reason: reason.value }, "PUT"), saved.number); } }, t("Save")));
  }

  // Takes what was saved, waits until the run follows it, and offers to go back.
  async function follow(saving, before, take = load) {
    try {
      const { number, cameras } = await saving;
      const until = Date.now() + APPLY_MS;
      let found = await get("rules");
      while (found.state.name === "waiting" && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        found = await get("rules");
      }
      take(found);
      toast(`${t("Version {number}.", { number })} ${stateText(found.state)} ${ofCameras(cameras)}`.trimEnd(), { bad: found.state.name === "refused", action: { name: t("Undo"), run: () => restore(before || 1, take) } });
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  function restore(number, take = load) {
    return follow(send(`rules/${number}/restore?base=${saved.number}`, {}), saved.number, take);
  }

  async function tryOut() {
    put(result, h("p", { className: "note" }, t("Trying the rules on the whole run…")));
    try {
      const { num, num_now: now, alerts } = await send("rules/try", { rules: text() });
      const names = [...new Set([...Object.keys(num), ...Object.keys(now)])].sort();
      put(result, h("section", { className: "card", "data-trial": names.length }, h("h2", {}, t("On this run they would have raised")),
        names.length ? h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, t("rule")), h("th", { className: "r" }, t("as saved")), h("th", { className: "r" }, t("as drawn")))),
          h("tbody", {}, names.map((name) => h("tr", {}, h("td", {}, name), h("td", { className: "r" }, String(now[name] ?? 0)), h("td", { className: "r" }, String(num[name] ?? 0)))))) : h("p", {}, t("No alert, now as before.")),
        h("ul", { className: "gates" }, alerts.slice(0, 30).map((alert) => h("li", {}, `${eventTime(alert.raised_at)} ${alert.camera_id}: ${told(alert.message)}`))),
        h("button", { onclick: () => put(result) }, t("Close"))));
    } catch (error) {
      put(result, h("p", { className: "note" }, t("They could not be tried: {error}", { error: error.message })));
    }
  }

  function drawPast() {
    put(past, saved.versions.length ? h("div", { className: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, [t("version"), t("when"), t("by"), t("why"), ""].map((title) => h("th", {}, title)))),
      h("tbody", {}, saved.versions.slice(0, 50).map((each) => h("tr", {}, h("td", { className: "num" }, each.number), h("td", { className: "num" }, wallClock(each.at)), h("td", {}, each.by), h("td", {}, each.reason),
        h("td", {}, h("button", { className: "plain", "data-key": `version ${each.number}`, onclick: () => look(each) }, t("Look")))))))) : h("p", { className: "soft" }, t("Nothing was edited yet.")));
  }

  async function look({ number, by, at }) {
    const { diff } = await get(`rules/${number}`);
    const box = dialog(t("Version {number}", { number }), h("p", { className: "soft" }, t("{name}, {time}. It changed:", { name: by, time: wallClock(at) })), difference(diff));
    addButtons(box, number === saved.number ? null : h("button", { className: "main", onclick: () => { box.close(); restore(number); } }, t("Go back to this version")));
  }

  drawChoice();
  drawBar();
  drawRules();
  drawPast();
  if (isStale) toast(t("Somebody else has saved a newer version; your edits were dropped."), { bad: true });
  await choose(camera);
}

function stateText({ name, reason }) {
  return [STATES[name][1], told(reason)].filter(Boolean).join(" ");
}

function difference(lines) {
  if (!lines.length) return h("p", { className: "soft" }, t("Nothing."));
  return h("pre", { className: "diff", tabIndex: 0, "aria-label": t("What changes") }, lines.slice(2).map((line) => h("span", { className: line.startsWith("+") ? "good" : line.startsWith("-") ? "bad" : "soft" }, `${line}\n`)));
}
