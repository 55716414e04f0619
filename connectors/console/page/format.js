// Numbers, times, colours and pictures as the page shows them.

import { h } from "./dom.js";
import { locale, t, tn } from "./language.js";

const SECONDS = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, minimumFractionDigits: 1, maximumFractionDigits: 1 });
const YEAR_S = 365 * 86400;
const GOLDEN = 0.618033988749895;
const SATURATIONS = [0.72, 0.88, 0.58];
const BRIGHTNESSES = [0.92, 0.74, 1.0];

// Event time. A recording without a start time begins at 0, so its times are shown as elapsed time.
export function eventTime(at) {
  if (at === null || at === undefined) return "–";
  if (Math.abs(at) < YEAR_S) {
    const tenths = Math.round(Math.abs(at) * 10);
    const sign = at < 0 && tenths ? "−" : "";
    const [hours, minutes, rest] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, tenths % 600];
    const tail = `${String(minutes).padStart(2, "0")}:${SECONDS.format(rest / 10)}`;
    return sign + (hours ? `${hours}:${tail}` : tail);
  }
  const date = new Date(at * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString(locale) : date.toLocaleString(locale);
}

// Reads a time of an event: elapsed time as 1:30 or in seconds, with a point or a comma, or a date.
export function parseTime(text) {
  if (!text?.trim()) return null;
  const parts = text.trim().match(/^([-−]?)(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)$/);
  if (parts) return (parts[1] ? -1 : 1) * ((Number(parts[2] ?? 0) * 60 + Number(parts[3] ?? 0)) * 60 + Number(parts[4].replace(",", ".")));
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at / 1000;
}

// A field for a moment that can be typed or picked: a date in the named zone or, for a recording without a start time,
// elapsed time. Its value is what parseTime reads.
export function moment(label, value, change, key, isElapsed) {
  const zone = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts().find((part) => part.type === "timeZoneName").value;
  // What is no time is said so, and filters nothing away.
  const typed = () => {
    field.setCustomValidity(field.value.trim() && parseTime(field.value) === null ? t("Expected a time such as 1:30 or 0:02:15.5") : "");
    if (field.reportValidity()) change(field.value);
  };
  const field = isElapsed
    ? h("input", { value: value ?? "", placeholder: "1:30", style: { width: "7em" }, "data-key": key, onchange: typed })
    : h("input", { type: "datetime-local", step: 1, value: value ?? "", "data-key": key, onchange: (event) => change(event.target.value) });
  return h("label", {}, isElapsed ? t("{label}, elapsed", { label }) : `${label}, ${zone}`, field);
}

export function wallClock(at) {
  return new Date(at * 1000).toLocaleString(locale);
}

export function duration(seconds) {
  if (seconds < 60) return inSeconds(seconds, seconds < 10 ? 1 : 0);
  if (seconds < 5400) return t("{number} min", { number: Math.round(seconds / 60) });
  if (seconds < 172800) return t("{number} h", { number: Number((seconds / 3600).toFixed(1)) });
  return tn("{count} day", "{count} days", Math.round(seconds / 86400));
}

export function decimal(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(locale, { useGrouping: false, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

// With its sign, which Intl keeps in front of the digits in every direction of writing.
export function signed(value, digits = 1) {
  return new Intl.NumberFormat(locale, { signDisplay: "exceptZero", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function inSeconds(value, digits = 1) {
  return t("{number} s", { number: decimal(value, digits) });
}

export function percent(share, digits = 0) {
  return share === null || share === undefined ? "–" : t("{number} %", { number: decimal(100 * share, digits) });
}

// Style of a bar that is filled to a share.
export function width(share) {
  return { width: `${(100 * share).toFixed(1)}%` };
}

// A probability as text. Nothing is certain, so 99.7 % is not rounded to 100 %.
export function probabilityText(probability) {
  if (probability > 0.99) return `> ${percent(0.99)}`;
  return probability < 0.01 ? `< ${percent(0.01)}` : percent(probability);
}

export function bytes(count) {
  if (count < 1e6) return t("{number} kB", { number: Math.round(count / 1e3) });
  return count < 1e9 ? t("{number} MB", { number: decimal(count / 1e6) }) : t("{number} GB", { number: decimal(count / 1e9) });
}

// The colour of a person, as in the annotated videos. Black or white text on it has a contrast of at least 4.58; WCAG AA
// asks for 4.5.
export function colour(person) {
  const hue = (0.58 + person * GOLDEN) % 1;
  const [saturation, value] = [SATURATIONS[person % 3], BRIGHTNESSES[person % 3]];
  const channel = (n) => {
    const k = (n + hue * 6) % 6;
    return Math.round(255 * (value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  const [red, green, blue] = [channel(5), channel(3), channel(1)];
  return { css: `rgb(${red}, ${green}, ${blue})`, ink: luminance(red, green, blue) > 0.179 ? "#000000" : "#ffffff" };
}

function luminance(...channels) {
  const [red, green, blue] = channels.map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function personTitle(person) {
  return t("Person {person}", { person });
}

export function personLink(person, name = "") {
  if (person === 0) return null; // of an alert that is about a place
  const { css, ink } = colour(person);
  return h("a", {
    className: "person", href: `#/person/${person}`, style: { background: css, color: ink },
    "aria-label": personTitle(person) + (name ? `, ${name}` : ""), "data-key": `person ${person}`,
  }, String(person));
}

export function thumbnail(which, about) {
  if (!which) return h("div", { className: "thumbnail none" }, t("no picture"));
  const url = `/api/picture?${new URLSearchParams({ track: which.track, part: which.part })}`;
  const image = h("img", { className: "thumbnail", src: url, alt: about, loading: "lazy", decoding: "async" });
  image.onerror = () => image.replaceWith(h("div", { className: "thumbnail none" }, t("no picture")));
  return image;
}

const OUTCOMES = { matched: [t("recognised"), "good"], new: [t("new"), "info"], tentative: [t("uncertain"), "warn"] };

export function outcome(value) {
  const [word, kind] = OUTCOMES[value] ?? [value, ""];
  return h("span", { className: `tag ${kind}` }, word);
}
