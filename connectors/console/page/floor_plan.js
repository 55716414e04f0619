// The floor plan: its upload, its scale, and points on it in metres.

import { get, send, upload } from "./api.js";
import { h, put, toast } from "./dom.js";
import { decimal } from "./format.js";
import { t } from "./language.js";

// Calls `place` with metres when a point of the plan is selected while `isAsked` says so.
export function floorPlanCard(site, isAsked, place) {
  const body = h("div", { className: "stack" });
  const canvas = h("canvas", { className: "plan", tabIndex: 0, role: "img", "aria-label": t("Floor plan"), onclick: select });
  const length = h("input", { type: "number", min: 0, step: "any", style: { width: "8em" }, "data-key": "plan length" });
  let plan = {};
  let picture = null;
  let scale = null; // the points of a scale that is being stated

  async function load() {
    plan = await get("floor-plan");
    site.floor_plan = plan;
    picture = null;
    if (plan.width) picture = await createImageBitmap(await (await fetch("/api/floor-plan/picture")).blob());
    show();
  }

  function show() {
    const file = h("input", { type: "file", accept: "image/png,image/jpeg,image/webp", className: "visually", "data-key": "plan file", onchange: () => change(upload("floor-plan", file.files[0])) });
    const size = plan.metres_per_px ? t("{width} × {height} m. Its lower left corner is 0, 0; x goes right and y up.", { width: decimal(plan.width * plan.metres_per_px), height: decimal(plan.height * plan.metres_per_px) }) : t("It has no scale yet.");
    put(body,
      h("p", { className: "soft" }, picture ? size : t("Upload a PNG, JPEG or WebP of the floor, seen from above. Ground points can then be set on it.")),
      picture ? canvas : null,
      scale ? h("div", { className: "bar" }, h("label", {}, t("Metres between the two points"), length),
        h("button", { className: "main", "data-key": "plan scale", disabled: scale.length < 2, onclick: () => change(send("floor-plan/scale", { first_px: scale[0], second_px: scale[1], length_m: Number(length.value) })) }, t("Use")),
        h("span", { className: "soft small" }, scale.length < 2 ? t("Select two points on the plan whose distance you know.") : t("Both points are set."))) : null,
      h("div", { className: "bar" }, h("label", { className: "button" }, picture ? t("Another plan") : t("Upload a plan"), file),
        picture ? h("button", { "data-key": "plan set scale", onclick: () => { scale = []; show(); } }, t("Set the scale")) : null,
        picture ? h("button", { "data-key": "plan drop", onclick: () => change(send("floor-plan", {}, "DELETE")) }, t("Delete the plan")) : null));
    draw([]);
  }

  function draw(marks) {
    if (!picture) return;
    [canvas.width, canvas.height] = [plan.width, plan.height];
    const pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0);
    pen.fillStyle = "#d81b60";
    for (const [x, y] of [...(scale ?? []), ...marks]) { pen.beginPath(); pen.arc(x, y, plan.width / 100, 0, 7); pen.fill(); }
  }

  function select(event) {
    const point = [event.offsetX * canvas.width / canvas.clientWidth, event.offsetY * canvas.height / canvas.clientHeight];
    if (scale) {
      scale = scale.length < 2 ? [...scale, point] : [point];
      show();
    } else if (!plan.metres_per_px) {
      toast(t("Set the scale of the plan first."), { bad: true });
    } else if (!isAsked()) {
      toast(t("Choose a ground point first: Place on the plan."), { bad: true });
    } else {
      draw([point]);
      place([point[0], plan.height - point[1]].map((side) => Number((side * plan.metres_per_px).toFixed(2))));
    }
  }

  async function change(changing) {
    try {
      await changing;
      scale = null;
      await load();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  }

  load().catch((error) => put(body, h("p", { className: "note" }, error.message)));
  return h("section", { className: "card", "data-plan": "" }, h("h2", {}, t("Floor plan")), body);
}
