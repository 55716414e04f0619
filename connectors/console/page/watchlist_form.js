// Dialogs of the watch-list: enrol by pictures or by a number, change, and take off.

import { upload } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { probabilityText, thumbnail } from "./format.js";
import { t, tn, told } from "./language.js";
import { bytes } from "./similarity.js";
import { SEVERITIES } from "./words.js";

const TYPES = "image/jpeg,image/png,image/webp";
const MAX_BYTES = 8e6;

// Fields that every entry has: name, reason, until when, and who is told.
function fields(entry, sinks) {
  const name = h("input", { maxLength: 100, required: true, value: entry.name ?? "", "data-key": "name" });
  const reason = h("input", { maxLength: 500, value: entry.reason ?? "", "data-key": "reason" });
  const until = h("input", { type: "datetime-local", value: entry.expires_at ? local(entry.expires_at) : "", "data-key": "until" });
  const severity = h("select", { "data-key": "severity" }, ["", ...Object.keys(SEVERITIES)].map((each) =>
    h("option", { value: each, selected: each === (entry.severity ?? "") }, each ? `${SEVERITIES[each]}: ${sinks[each].join(", ") || t("this page alone")}` : t("as urgent as the rule"))));
  return {
    shown: h("div", { className: "stack" }, h("label", {}, t("Name"), name), h("label", {}, t("Reason"), reason),
      h("label", {}, t("Until (empty: for good)"), until), h("label", {}, t("Who is told"), severity),
      h("p", { className: "soft small" }, t("When the time is over, the name raises no alert any more, and the pictures of the enrolment are deleted."))),
    value: () => ({ name: name.value.trim(), reason: reason.value.trim(), expires_at: until.value ? new Date(until.value).getTime() / 1000 : null, severity: severity.value }),
  };
}

export function enrol(found, give, person = null) {
  const pictures = [];
  const list = h("div", { className: "judged", "aria-live": "polite" });
  const given = fields({}, found.told);
  const number = h("input", { type: "number", min: 1, value: person ?? "", "data-key": "person" });
  const file = h("input", { type: "file", accept: TYPES, multiple: true, className: "visually", "data-key": "pictures", onchange: () => add([...file.files]) });
  const button = h("button", { className: "main", "data-key": "submit" }, t("Put on the watch-list"));

  async function add(files) {
    file.value = "";
    const added = files.map((each) => ({ name: each.name, isUsed: false, faults: [t("waits until the one before it is judged…")], similar: [] }));
    pictures.push(...added);
    for (const [index, each] of files.entries()) {
      const picture = added[index];
      picture.faults = [t("is being judged; the first one takes longest, up to a minute…")];
      draw();
      try {
        if (each.size > MAX_BYTES) throw new Error(t("larger than 8 MB"));
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
        each.faults.length ? h("span", { className: "tag warn" }, each.faults.map(told).join("; ")) : h("span", { className: "tag good" }, t("good")),
        each.upload ? h("label", { className: "tick" }, h("input", { type: "checkbox", checked: each.isUsed, "data-key": `use ${index}`, onchange: (event) => { each.isUsed = event.target.checked; } }), t("use it")) : null,
        each.similar.filter(({ probability }) => probability >= 0.5).map((one) => h("button", { className: "plain", onclick: () => { number.value = one.person; } }, thumbnail(one.picture, ""), t("Perhaps person {person} ({probability})", { person: one.person, probability: probabilityText(one.probability) })))))));
  }

  const box = dialog(t("Enrol a person"),
    found.may_enrol ? h("div", {}, h("label", { className: "button" }, t("Pictures…"), file),
      h("p", { className: "soft small" }, t("JPEG, PNG or WebP. Each shows one whole person, sharp, at least 64 pixels high. Several pictures, from several sides, are better."))) : null,
    list,
    h("label", { className: "apart" }, found.may_enrol ? t("Number, if this person was seen already") : t("Number of the person"), number), given.shown);
  box.addEventListener("close", () => pictures.forEach((each) => URL.revokeObjectURL(each.url)));
  addButtons(box, button);
  button.onclick = async () => {
    const used = pictures.filter((each) => each.isUsed).map((each) => each.upload);
    const entry = { ...given.value(), pictures: used, person: Number(number.value) || null };
    if (!entry.name) { toast(t("Give the person a name."), { bad: true }); return; }
    if (!used.length && !entry.person) { toast(t("Choose a good picture, or give the number of somebody who was seen."), { bad: true }); return; }
    button.disabled = true;
    await submit(box, () => give("watchlist", entry, "POST", t("{name} is on the watch-list.", entry)));
    button.disabled = false;
  };
}

export function edit(entry, found, give) {
  const given = fields(entry, found.told);
  const box = dialog(t("Change {name}", entry), given.shown);
  addButtons(box, h("button", { className: "main", onclick: () => submit(box, () => give(`watchlist/${entry.person}`, given.value(), "PUT", t("Changed."))) }, t("Save")));
}

export function remove(entry, give) {
  const reason = h("input", { maxLength: 500, "data-key": "reason" });
  const box = dialog(t("Take {name} off the watch-list?", entry),
    h("p", {}, t("No alert follows any more."), " ", entry.pictures ? [tn("The picture of the enrolment, and what it came to, is deleted; that cannot be undone.", "The {count} pictures of the enrolment, and what they came to, are deleted; that cannot be undone.", entry.pictures), " "] : null, t("Sightings stay.")),
    h("label", {}, t("Reason"), reason));
  addButtons(box, h("button", { className: "danger", onclick: () => submit(box, () => give(`watchlist/${entry.person}/remove`, { reason: reason.value }, "POST", t("{name} is off the watch-list.", entry))) }, t("Take off")));
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
