// Reference of the API: every operation with an example.

import { h, put } from "./dom.js";
import { t, tx } from "./language.js";

export async function page(root) {
  const document_ = await (await fetch("/api/openapi.json")).json();
  const operations = Object.entries(document_.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  const areas = [...new Set(operations.map(({ operation }) => operation.tags[0]))];
  put(root,
    h("div", { className: "head" }, h("div", { className: "grow" }, h("h1", {}, t("API")),
      h("p", {}, tx("Every function of this page. Programs authenticate with a token: {header}", { header: h("code", {}, "Authorization: Bearer passerby_…") }))),
    h("a", { className: "button", href: "/api/openapi.json" }, t("OpenAPI document"))),
    h("div", { className: "stack", lang: "en" }, areas.map((area) => h("section", { className: "card stack" }, h("h2", {}, area),
      operations.filter(({ operation }) => operation.tags[0] === area).map(({ path, method, operation }) => h("div", {},
        h("b", {}, operation.summary), h("span", { className: "soft small" }, ` ${method.toUpperCase()} ${path}`),
        h("pre", { tabIndex: 0 }, operation["x-codeSamples"]?.[0]?.source ?? "")))))));
}
