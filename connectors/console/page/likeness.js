// Who looks like that: a picture somebody chose, a box on the wall, or a sighting.

import { get, upload } from "./api.js";
import { h, put } from "./dom.js";
import { clock, shot, sure, tag, width } from "./format.js";

const TYPES = "image/jpeg,image/png,image/webp";
const MAX_BYTES = 8e6;
const UNLIKELY = 0.02;
let handed = null;

// What the wall cut out, for the page that is shown next.
export function hand(file) {
  handed = file;
  if (location.hash === "#/people/picture") dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = "#/people/picture";
}

export function chooser() {
  const field = h("input", { type: "file", accept: TYPES, className: "visually", onchange: () => { if (field.files[0]) hand(field.files[0]); } });
  return h("label", { className: "button", title: "JPEG, PNG or WebP, 8 MB at most" }, "By picture…", field);
}

// Pictures may be dropped anywhere on the page.
export function dropping(root) {
  const over = (event) => { event.preventDefault(); root.classList.add("dropping"); };
  const gone = () => root.classList.remove("dropping");
  root.addEventListener("dragover", over);
  root.addEventListener("dragleave", gone);
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    gone();
    if (event.dataTransfer.files[0]) hand(event.dataTransfer.files[0]);
  });
}

export async function page(root, context, [kind, track, part]) {
  const body = h("div", { className: "stack", "aria-live": "polite" });
  const about = h("p", {}, "One moment: pictures are being compared.");
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Who looks like this?"), about),
    h("div", { className: "bar" }, context.may("operator") ? chooser() : null, h("a", { className: "button", href: "#/people" }, "Everybody"))), body);
  if (context.may("operator")) dropping(root);
  if (kind === "like") {
    const found = await get("search/sighting", { track, part });
    put(about, compared(found.num_compared));
    put(body, result(h("figure", { className: "asked" }, shot({ track, part }, "The picture that is searched for"), h("figcaption", {}, track.split("/").slice(0, -2).join("/"))), found.found));
    return;
  }
  if (!handed) {
    put(about, "Choose a picture, or drop one here.");
    return;
  }
  const file = handed;
  if (file.size > MAX_BYTES) throw new Error("The picture is larger than 8 MB.");
  const { people, is_whole: isWhole } = await upload("search/picture", file);
  handed = null;
  put(about, isWhole ? "Nobody was found in the picture, so all of it was taken as one person. " : `${people.length} ${people.length === 1 ? "person" : "people"} found in the picture. `, compared(people[0].num_compared), " The picture is not kept.");
  const pictures = people.map((each) => URL.createObjectURL(new Blob([bytes(each.picture)], { type: "image/jpeg" })));
  put(body, people.map((each, index) => result(h("figure", { className: "asked" }, h("img", { className: "shot", src: pictures[index], alt: `Person ${index + 1} in the picture` })), each.found)));
  return () => pictures.forEach((url) => URL.revokeObjectURL(url));
}

function compared(count) {
  return `${count} pictures compared; probabilities are those of the line’s calibration.`;
}

function result(asked, ranked) {
  const found = ranked.filter(({ probability }, rank) => rank === 0 || probability >= UNLIKELY);
  return h("section", { className: "card likeness" }, asked,
    found.length ? h("ol", { className: "people" }, found.map((each) => h("li", {}, h("a", { href: `#/person/${each.person}`, "data-found": each.person },
      shot(each.picture, `Person ${each.person}`),
      h("div", { className: "about" },
        h("div", { className: "bar" }, inert(tag(each.person, each.name)), h("b", { className: "num" }, sure(each.probability))),
        h("div", { className: "meter", "aria-hidden": "true" }, h("i", { style: width(each.probability) })),
        h("span", {}, each.cameras.join(", ")), h("span", { className: "num" }, clock(each.last_seen_at))))))) : h("p", { className: "soft" }, "There is no picture to compare with yet."));
}

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

// A link within a link is none.
export function inert(link) {
  return h("span", { className: link.className, style: { background: link.style.background, color: link.style.color } }, link.textContent);
}
