// What an entry of the audit is about, in words.

import { eventTime } from "./format.js";
import { t, told, toldOfAudit } from "./language.js";

// What holds moments, which are event time.
const MOMENTS = [
  [/^from (-?[0-9.]+)$/, (since) => t("from {since}", { since: eventTime(Number(since)) })],
  [/^until (-?[0-9.]+)$/, (until) => t("until {until}", { until: eventTime(Number(until)) })],
  [/^video of camera (.*) from (-?[0-9.]+) to (-?[0-9.]+)$/s, (camera, since, until) =>
    t("video of camera {camera}, {since} to {until}", { camera, since: eventTime(Number(since)), until: eventTime(Number(until)) })],
];
// Of an edit that the run follows; it says nothing to a reader.
const DIGEST = /^[0-9a-f]{64}$/;

export function auditAbout({ subject, reason }) {
  return [subject, reason].filter((part) => part && !DIGEST.test(part)).map(said).join("; ");
}

// A sentence of the server may hold "; " itself, so that the whole is looked for first.
function said(english) {
  const whole = english.includes("; ") ? told(english) : english;
  return whole === english ? english.split("; ").map(saidOne).join("; ") : whole;
}

function saidOne(english) {
  for (const [matches, text] of MOMENTS) {
    const found = matches.exec(english);
    if (found) return text(...found.slice(1));
  }
  return toldOfAudit(english);
}
