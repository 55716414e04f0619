// Search for people by number, camera and time.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { eventTime, parseTime, personLink, thumbnail } from "./format.js";
import * as similarity from "./similarity.js";
import { acceptDrops, fileChooser, unlinked } from "./similarity.js";

export async function page(root, context, rest) {
  if (rest[0] === "picture" || rest[0] === "similar") return similarity.page(root, context, rest);
  const filter = {};
  const people = h("div", { className: "people" });
  const count = h("p", { "aria-live": "polite" });
  const field = (name, label, props) => h("label", {}, label, h("input", {
    ...props, onchange: (event) => { filter[name] = event.target.value; refresh(); },
  }));
  put(root,
    h("div", { className: "head" },
      h("div", { className: "grow" }, h("h1", {}, "People"), count),
      h("form", { className: "bar", onsubmit: (event) => { event.preventDefault(); refresh(); } },
        field("number", "Person number", { type: "number", min: 1, style: { width: "8em" } }),
        h("label", {}, "Camera", h("select", { onchange: (event) => { filter.camera = event.target.value; refresh(); } },
          h("option", { value: "" }, "all"), context.site.cameras.map((camera) => h("option", { value: camera }, camera)))),
        field("since", "From", { placeholder: "0:00 or date", style: { width: "10em" } }),
        field("until", "To", { placeholder: "1:30 or date", style: { width: "10em" } }),
        h("button", { className: "main" }, "Search"), context.may("operator") ? fileChooser() : null)),
    people);

  async function refresh() {
    const found = await get("people", { ...filter, since: parseTime(filter.since), until: parseTime(filter.until), limit: 120 });
    put(count, found.num > found.people.length ? `${found.people.length} of ${found.num}, newest first` : `${found.num} found, newest first`);
    put(people, found.people.length ? found.people.map(card) : h("div", { className: "empty" }, "No person matches."));
  }

  if (context.may("operator")) acceptDrops(root);
  context.listeners.add(refresh);
  await refresh();
}

function card(person) {
  return h("a", { href: `#/person/${person.person}`, "data-key": `card ${person.person}`, "data-person": person.person },
    thumbnail(person.picture, `Person ${person.person}`),
    h("div", { className: "details" },
      h("div", { className: "bar" }, unlinked(personLink(person.person, person.name)), person.name ? h("span", { className: "tag warn" }, person.name) : null),
      h("span", {}, person.cameras.join(", ")),
      h("span", { className: "num" }, `${eventTime(person.first_seen_at)} – ${eventTime(person.last_seen_at)}`)));
}
