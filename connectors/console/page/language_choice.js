// Where a user chooses the language: below their name, and at the login.

import { h } from "./dom.js";
import { LANGUAGES, choose, language, t } from "./language.js";

export function languageChoice() {
  return h("select", { "aria-label": t("Language"), onchange: (event) => choose(event.target.value) },
    Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code, selected: code === language }, name)));
}
