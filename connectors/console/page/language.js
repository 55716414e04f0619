// The language of the page. The code has the texts in English; languages/CODE.json has those of another language, by the
// English. `texts` are the page's own. `server` are those that the server writes, in English always: errors, alerts, reasons.

export const LANGUAGES = { en: "English", de: "Deutsch" };

export const language = chosen();
// As the browser writes that language, with the digits of the numbers in the pictures.
export const locale = new Intl.Locale(navigator.languages.find((each) => primary(each) === language) ?? language, { numberingSystem: "latn" }).toString();

const ENGLISH = { direction: "ltr", texts: {}, server: {}, audit: {} };
const catalogue = language === "en" ? ENGLISH : await (await fetch(`/page/languages/${language}.json`)).json();
const plurals = new Intl.PluralRules(locale);
const plain = new Intl.NumberFormat(locale, { useGrouping: false, maximumFractionDigits: 20 });
const NUMBER = /^-?\d+(\.\d+)?$/;
const PLACE = /\{(\w+)\}/;
// The values at these places are sentences or words of the server too.
const TOLD = new Set(["deed", "other", "reason", "role", "side", "task"]);
const patterns = patternsOf(catalogue.server);
const ofAudit = { ...catalogue.server, ...catalogue.audit };
const auditPatterns = patternsOf(ofAudit);

export const { direction } = catalogue;

// The choice is kept in this browser; at first it is the browser's. The page is loaded anew, at the same place.
export function choose(code) {
  localStorage.setItem("language", code);
  sessionStorage.setItem("scroll", scrollY);
  location.reload();
}

// A text, with values at its {places}.
export function t(text, values = {}) {
  return filled(catalogue.texts[text] ?? text, values);
}

// A text that depends on a number, which stands at {count}: `one` and `other` are the English forms.
export function tn(one, other, count, values = {}) {
  const forms = catalogue.texts[other] ?? { one, other };
  return filled(forms[plurals.select(count)] ?? forms.other, { count, ...values });
}

// A text with elements at its {places}: returns texts and elements in the order of the language.
export function tx(text, values) {
  return (catalogue.texts[text] ?? text).split(PLACE).map((part, index) => (index % 2 ? shown(values[part]) : part));
}

// What the server wrote. A sentence that the catalogue does not know stays English. Numbers are written as in the language.
export function told(english) {
  return translated(english, catalogue.server, patterns, told) ?? english;
}

// A deed of the audit, or what it is about. The audit's own sentences are short and fit much, so errors do not use them.
export function toldOfAudit(english) {
  return translated(english, ofAudit, auditPatterns, toldOfAudit) ?? english;
}

function translated(english, texts, patternsOfTexts, tell) {
  if (Object.hasOwn(texts, english)) return texts[english];
  for (const [matches, text] of patternsOfTexts) {
    const found = matches.exec(english)?.groups;
    if (found) return filled(text, Object.fromEntries(Object.entries(found).map(([name, value]) => [name, valueOf(name, value, tell)])));
  }
  return null;
}

// Those with the most words of their own come first: a sentence may go on where a shorter one ends.
function patternsOf(texts) {
  return Object.entries(texts).filter(([english]) => PLACE.test(english)).sort(([one], [two]) => own(two) - own(one)).map(([english, text]) => [pattern(english), text]);
}

function valueOf(name, english, tell) {
  if (TOLD.has(name)) return tell(english);
  if (name === "faults") return english.split(", ").map(tell).join(", ");
  return NUMBER.test(english) ? Number(english) : english;
}

function filled(text, values) {
  return text.replaceAll(new RegExp(PLACE, "g"), (_, name) => shown(values[name]));
}

// Numbers are not grouped, because many are a person's. A name from left to right stays one in a text from right to left.
function shown(value) {
  if (typeof value === "number") return plain.format(value);
  return direction === "rtl" && typeof value === "string" ? `\u2068${value}\u2069` : value;
}

function own(english) {
  return english.replaceAll(new RegExp(PLACE, "g"), "").length;
}

function pattern(english) {
  const parts = english.split(PLACE).map((part, index) => (index % 2 ? `(?<${part}>.*)` : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${parts.join("")}$`, "s");
}

function chosen() {
  return [localStorage.getItem("language"), ...navigator.languages].filter(Boolean).map(primary).find((each) => each in LANGUAGES) ?? "en";
}

function primary(tag) {
  return tag.split("-")[0];
}
