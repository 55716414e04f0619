// Search for people by number, camera and time.

import { keep, shown as inAddress } from "./address.js";
import { getList } from "./api.js";
import { h, put } from "./dom.js";
import { eventTime, moment, parseTime, personLink, personTitle, thumbnail } from "./format.js";
import { t } from "./language.js";
import * as similarity from "./similarity.js";
import { acceptDrops, fileChooser, unlinked } from "./similarity.js";

const PAGE = 100;

export async function page(root, context, rest) {
  if (rest[0] === "picture" || rest[0] === "similar") return similarity.page(root, context, rest);
  const filter = { number: "", name: "", camera: "", since: "", until: "", ...inAddress() };
  let limit = PAGE;
  const people = h("div", { className: "people" });
  const more = h("button", { className: "hidden", onclick: () => { limit += PAGE; refresh(); } }, t("Show more"));
  const count = h("p", { "aria-live": "polite" });
  const change = (name, value) => { filter[name] = value; limit = PAGE; keep(filter); refresh(); };
  const field = (name, label, props) => h("label", {}, label, h("input", { ...props, value: filter[name], onchange: (event) => change(name, event.target.value) }));
  put(root,
    h("div", { className: "head" },
      h("div", { className: "grow" }, h("h1", {}, t("People")), count),
      h("form", { className: "bar", onsubmit: (event) => { event.preventDefault(); refresh(); } },
        field("number", t("Person number"), { type: "number", min: 1, style: { width: "8em" } }),
        field("name", t("Name"), { maxLength: 100, style: { width: "9em" } }),
        h("label", {}, t("Camera"), h("select", { onchange: (event) => change("camera", event.target.value) },
          h("option", { value: "" }, t("all")), context.site.cameras.map((camera) => h("option", { value: camera, selected: camera === filter.camera }, camera)))),
        moment(t("From"), filter.since, (value) => change("since", value), "since", context.isElapsed),
        moment(t("To"), filter.until, (value) => change("until", value), "until", context.isElapsed),
        h("button", { className: "main" }, t("Search")), context.may("operator") ? fileChooser() : null)),
    h("div", { className: "stack" }, people, more));

  async function refresh() {
    const found = await getList("people", { ...filter, since: parseTime(filter.since), until: parseTime(filter.until) }, "people", limit);
    put(count, found.num > found.people.length ? t("{shown} of {all}, newest first", { shown: found.people.length, all: found.num }) : t("{count} found, newest first", { count: found.num }));
    put(people, found.people.length ? found.people.map(card) : h("div", { className: "empty" }, t("No person matches.")));
    more.classList.toggle("hidden", found.people.length >= found.num);
  }

  if (context.may("operator")) acceptDrops(root);
  context.listeners.add(refresh);
  await refresh();
}

function card(person) {
  return h("a", { href: `#/person/${person.person}`, "data-key": `card ${person.person}`, "data-person": person.person },
    thumbnail(person.picture, personTitle(person.person)),
    h("div", { className: "details" },
      h("div", { className: "bar" }, unlinked(personLink(person.person, person.name)), person.name ? h("span", { className: "tag warn" }, person.name) : null),
      h("span", {}, person.cameras.join(", ")),
      h("span", { className: "num" }, `${eventTime(person.first_seen_at)} – ${eventTime(person.last_seen_at)}`)));
}
