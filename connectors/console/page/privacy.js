// What is kept, for how long, and who looked at what.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { bytes, lasting, wallClock } from "./format.js";

export async function page(root, context) {
  const kept = await get("privacy");
  const tile = (value, name) => h("div", { className: "card tile" }, h("b", {}, value), h("span", {}, name));
  const audit = h("section", { className: "card" });
  put(root,
    h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, "Privacy"), h("p", {}, "What is kept of people, and who did what with it."))),
    h("div", { className: "stack" },
      h("div", { className: "tiles" },
        tile(String(kept.num_pictures), "pictures of sightings"),
        tile(String(kept.num_clips), "clips, a few frames each"),
        tile(bytes(kept.num_bytes), `of ${bytes(kept.max_picture_bytes)} at most`),
        tile(lasting(kept.keep_pictures_s), "they are kept, then deleted"),
        tile(kept.blurs_heads_on_wall ? "yes" : "no", "heads are blurred on the live wall"),
        tile("yes", "heads of others are blurred in exports")),
      h("section", { className: "card" }, h("h2", {}, "One person’s rights"),
        h("p", {}, "On a person’s page, ", h("b", {}, "Export"), " gives everything that is kept of them as a zip, and ", h("b", {}, "Erase"),
          " deletes it and shows what was found when it was looked for again. Live pictures and pictures that are searched with are never stored."),
        h("p", {}, h("a", { href: "#/people" }, "Find the person"))),
      context.may("administrator") ? audit : null));

  async function refresh() {
    if (!context.may("administrator")) return;
    const found = await get("audit");
    put(audit, h("h2", {}, "Who did what"), found.length ? h("div", { className: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["when", "who", "what", "about"].map((title) => h("th", {}, title)))),
      h("tbody", {}, found.slice(0, 200).map((entry) => h("tr", {}, h("td", { className: "num" }, wallClock(entry.at)), h("td", {}, entry.by), h("td", {}, entry.what), h("td", {}, entry.about)))))) : h("p", { className: "soft" }, "Nothing yet."));
  }

  context.listeners.add(refresh);
  await refresh();
}
