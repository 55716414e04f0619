// What is kept, for how long, and who did what.

import { get } from "./api.js";
import { auditAbout } from "./audit.js";
import { h, put } from "./dom.js";
import { bytes, duration, wallClock } from "./format.js";
import { t, toldOfAudit, tx } from "./language.js";

export async function page(root, context) {
  const kept = await get("privacy");
  const tile = (value, name) => h("div", { className: "card tile" }, h("b", {}, value), h("span", {}, name));
  const audit = h("section", { className: "card" });
  put(root,
    h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("Privacy")), h("p", {}, t("What is kept of people, for how long, and who did what.")))),
    h("div", { className: "stack" },
      h("div", { className: "tiles" },
        tile(String(kept.num_pictures), t("pictures of sightings")),
        tile(String(kept.num_clips), t("clips of a few frames")),
        tile(bytes(kept.num_bytes), t("used, at most {size}", { size: bytes(kept.max_picture_bytes) })),
        tile(duration(kept.keep_pictures_s), t("until pictures are deleted")),
        tile(kept.blurs_live_heads ? t("yes") : t("no"), t("heads are blurred in live pictures")),
        tile(t("yes"), t("heads of others are blurred in exports"))),
      h("section", { className: "card" }, h("h2", {}, t("Rights of a person")),
        h("p", {}, tx("On the page of a person, {export} gives all of that person’s data as a zip. {erase} deletes the data, searches for it again, and shows the result. Live pictures and uploaded pictures are never stored.", { export: h("b", {}, t("Export")), erase: h("b", {}, t("Erase")) })),
        h("p", {}, h("a", { href: "#/people" }, t("Find the person")))),
      context.may("administrator") && !context.me.cameras ? audit : null));

  async function refresh() {
    if (!context.may("administrator") || context.me.cameras) return;
    const found = await get("audit");
    put(audit, h("h2", {}, t("Who did what")), found.length ? h("div", { className: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, [t("when"), t("who"), t("what"), t("about")].map((title) => h("th", {}, title)))),
      h("tbody", {}, found.slice(0, 200).map((entry) => h("tr", {}, h("td", { className: "num" }, wallClock(entry.at)), h("td", {}, entry.by), h("td", {}, toldOfAudit(entry.what)), h("td", {}, auditAbout(entry))))))) : h("p", { className: "soft" }, t("Nothing yet.")));
  }

  context.listeners.add(refresh);
  await refresh();
}
