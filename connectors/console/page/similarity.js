// Similarity search: by an uploaded picture, a box in a live picture, or a sighting.

import { get, upload } from "./api.js";
import { h, put } from "./dom.js";
import { eventTime, personLink, personTitle, probabilityText, thumbnail, width } from "./format.js";
import { t, tn } from "./language.js";

const TYPES = "image/jpeg,image/png,image/webp";
const MAX_BYTES = 8e6;
const UNLIKELY = 0.02;
let pendingFile = null;

// Shows the search by a picture; the live page and the file chooser pass it here.
export function searchFor(file) {
  pendingFile = file;
  if (location.hash === "#/people/picture") dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = "#/people/picture";
}

export function fileChooser() {
  const field = h("input", { type: "file", accept: TYPES, className: "visually", onchange: () => { if (field.files[0]) searchFor(field.files[0]); } });
  return h("label", { className: "button", title: t("JPEG, PNG or WebP, 8 MB at most") }, t("By picture…"), field);
}

// Lets pictures be dropped anywhere on the page.
export function acceptDrops(root) {
  const over = (event) => { event.preventDefault(); root.classList.add("dropping"); };
  const gone = () => root.classList.remove("dropping");
  root.addEventListener("dragover", over);
  root.addEventListener("dragleave", gone);
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    gone();
    if (event.dataTransfer.files[0]) searchFor(event.dataTransfer.files[0]);
  });
}

export async function page(root, context, [kind, track, part]) {
  const body = h("div", { className: "stack", "aria-live": "polite" });
  const about = h("p", {}, t("Comparing pictures… The first search takes longest, up to a minute; searches of others go first."));
  put(root, h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Search by picture")), about),
    h("div", { className: "bar" }, context.may("operator") ? fileChooser() : null, h("a", { className: "button", href: "#/people" }, t("All people")))), body);
  if (context.may("operator")) acceptDrops(root);
  if (kind === "similar") {
    const found = await get("search/sighting", { track, part });
    put(about, compared(found.num_compared));
    put(body, result(h("figure", { className: "query" }, thumbnail({ track, part }, t("The picture to search for")), h("figcaption", {}, track.split("/").slice(0, -2).join("/"))), found.found));
    return;
  }
  if (!pendingFile) {
    put(about, t("Choose a picture, or drop one here."));
    return;
  }
  const file = pendingFile;
  if (file.size > MAX_BYTES) throw new Error(t("The picture is larger than 8 MB."));
  const { people, is_whole: isWhole } = await upload("search/picture", file);
  pendingFile = null;
  put(about, isWhole ? t("The detector found no person, so the whole picture is searched for.") : tn("{count} person found in the picture.", "{count} people found in the picture.", people.length), " ", compared(people[0].num_compared), " ", t("The picture is not kept."));
  const pictures = people.map((each) => URL.createObjectURL(new Blob([bytes(each.picture)], { type: "image/jpeg" })));
  put(body, people.map((each, index) => result(h("figure", { className: "query" }, h("img", { className: "thumbnail", src: pictures[index], alt: t("Person {number} in the picture", { number: index + 1 }) })), each.found)));
  return () => pictures.forEach((url) => URL.revokeObjectURL(url));
}

function compared(count) {
  return t("{count} pictures compared. Probabilities come from the pipeline’s calibration.", { count });
}

function result(asked, ranked) {
  const found = ranked.filter(({ probability }, rank) => rank === 0 || probability >= UNLIKELY);
  return h("section", { className: "card similarity" }, asked,
    found.length ? h("ol", { className: "people" }, found.map((each) => h("li", {}, h("a", { href: `#/person/${each.person}`, "data-found": each.person },
      thumbnail(each.picture, personTitle(each.person)),
      h("div", { className: "details" },
        h("div", { className: "bar" }, unlinked(personLink(each.person, each.name)), h("b", { className: "num" }, probabilityText(each.probability))),
        h("div", { className: "meter", "aria-hidden": "true" }, h("i", { style: width(each.probability) })),
        h("span", {}, each.cameras.join(", ")), h("span", { className: "num" }, eventTime(each.last_seen_at))))))) : h("p", { className: "soft" }, t("There are no pictures to compare with yet.")));
}

export function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

// The number of a person without its link, for use inside another link.
export function unlinked(link) {
  return h("span", { className: link.className, style: { background: link.style.background, color: link.style.color } }, link.textContent);
}
