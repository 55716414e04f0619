// Dialogs of the watch-list: enrol by pictures or by a number, change, and take off.

import { upload } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { probabilityText, thumbnail } from "./format.js";
import { bytes } from "./similarity.js";

const TYPES = "image/jpeg,image/png,image/webp";
const MAX_BYTES = 8e6;

// Fields that every entry has: name, reason, until when, and who is told.
function fields(entry, told) {
  const name = h("input", { maxLength: 100, required: true, value: entry.name ?? "", "data-key": "name" });
  const reason = h("input", { maxLength: 500, value: entry.reason ?? "", "data-key": "reason" });
  const until = h("input", { type: "datetime-local", value: entry.expires_at ? local(entry.expires_at) : "", "data-key": "until" });
  const severity = h("select", { "data-key": "severity" }, ["", "info", "warning", "critical"].map((each) =>
    h("option", { value: each, selected: each === (entry.severity ?? "") }, each ? `${each}: ${told[each].length ? told[each].join(", ") : "this page alone"}` : "as urgent as the rule")));
  return {
    shown: h("div", { className: "stack" }, h("label", {}, "Name", name), h("label", {}, "Reason", reason),
      h("label", {}, "Until (empty: for good)", until), h("label", {}, "Who is told", severity),
      h("p", { className: "soft small" }, "When the time is over, the name raises no alert any more, and the pictures of the enrolment are deleted.")),
    value: () => ({ name: name.value.trim(), reason: reason.value.trim(), expires_at: until.value ? new Date(until.value).getTime() / 1000 : null, severity: severity.value }),
  };
}

export function enrol(found, give, person = null) {
  const pictures = [];
  const list = h("div", { className: "judged", "aria-live": "polite" });
  const given = fields({}, found.told);
  const number = h("input", { type: "number", min: 1, value: person ?? "", "data-key": "person" });
  const file = h("input", { type: "file", accept: TYPES, multiple: true, className: "visually", "data-key": "pictures", onchange: () => add([...file.files]) });
  const button = h("button", { className: "main", "data-key": "submit" }, "Put on the watch-list");

  async function add(files) {
    file.value = "";
    for (const each of files) {
      const picture = { name: each.name, isUsed: false, faults: ["is being judged…"], similar: [] };
      pictures.push(picture);
      draw();
      try {
        if (each.size > MAX_BYTES) throw new Error("larger than 8 MB");
        Object.assign(picture, await upload("watchlist/picture", each));
        picture.url = URL.createObjectURL(new Blob([bytes(picture.picture)], { type: "image/jpeg" }));
        picture.isUsed = picture.upload !== null && picture.faults.length === 0;
      } catch (error) {
        Object.assign(picture, { upload: null, faults: [error.message] });
      }
      draw();
    }
  }

  function draw() {
    put(list, pictures.map((each, index) => h("figure", { "data-judged": each.faults.length ? "poor" : "good" },
      each.url ? h("img", { src: each.url, alt: each.name }) : null,
      h("figcaption", {},
        h("b", {}, each.name), h("br"),
        each.faults.length ? h("span", { className: "tag warn" }, each.faults.join("; ")) : h("span", { className: "tag good" }, "good"),
        each.upload ? h("label", { className: "tick" }, h("input", { type: "checkbox", checked: each.isUsed, "data-key": `use ${index}`, onchange: (event) => { each.isUsed = event.target.checked; } }), "use it") : null,
        each.similar.filter(({ probability }) => probability >= 0.5).map((one) => h("button", { className: "plain", onclick: () => { number.value = one.person; } }, thumbnail(one.picture, ""), `Perhaps person ${one.person} (${probabilityText(one.probability)})`))))));
  }

  const box = dialog("Enrol a person",
    found.may_enrol ? h("div", {}, h("label", { className: "button" }, "Pictures…", file),
      h("p", { className: "soft small" }, "JPEG, PNG or WebP. Each shows one whole person, sharp, at least 64 pixels high. Several pictures, from several sides, are better.")) : null,
    list,
    h("label", { className: "apart" }, found.may_enrol ? "Number, if this person was seen already" : "Number of the person", number), given.shown);
  box.addEventListener("close", () => pictures.forEach((each) => URL.revokeObjectURL(each.url)));
  addButtons(box, button);
  button.onclick = async () => {
    const used = pictures.filter((each) => each.isUsed).map((each) => each.upload);
    const entry = { ...given.value(), pictures: used, person: Number(number.value) || null };
    if (!entry.name) { toast("Give the person a name.", { bad: true }); return; }
    if (!used.length && !entry.person) { toast("Choose a good picture, or give the number of somebody who was seen.", { bad: true }); return; }
    button.disabled = true;
    await submit(box, () => give("watchlist", entry, "POST", `${entry.name} is on the watch-list.`));
    button.disabled = false;
  };
}

export function edit(entry, found, give) {
  const given = fields(entry, found.told);
  const box = dialog(`Change ${entry.name}`, given.shown);
  addButtons(box, h("button", { className: "main", onclick: () => submit(box, () => give(`watchlist/${entry.person}`, given.value(), "PUT", "Changed.")) }, "Save"));
}

export function remove(entry, give) {
  const reason = h("input", { maxLength: 500, "data-key": "reason" });
  const box = dialog(`Take ${entry.name} off the watch-list?`,
    h("p", {}, entry.pictures ? `No alert follows any more. The ${entry.pictures} pictures of the enrolment, and what they came to, are deleted; that cannot be undone.` : "No alert follows any more.", " Sightings stay."),
    h("label", {}, "Reason", reason));
  addButtons(box, h("button", { className: "danger", onclick: () => submit(box, () => give(`watchlist/${entry.person}/remove`, { reason: reason.value }, "POST", `${entry.name} is off the watch-list.`)) }, "Take off"));
}

// Closes the dialog if the change was accepted; else it stays as it is.
async function submit(box, work) {
  try {
    await work();
    box.close();
  } catch (error) {
    toast(error.message, { bad: true });
  }
}

function local(at) {
  const date = new Date(at * 1000);
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
