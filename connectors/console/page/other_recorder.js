// A link to another recorder, such as an NVR, at a moment of a camera; see sink.console.recorder.

import { h } from "./dom.js";
import { t } from "./language.js";

const LEAD_S = 5; // before the moment, so that one sees how it came about

// Nothing without such a recorder, and where the time of a recording is not known.
export function recorderLink(context, camera, at, key) {
  const { recorder } = context.site;
  if (!recorder || !camera || context.isElapsed) return null;
  const time = new Date((at - LEAD_S) * 1000);
  const iso = time.toISOString().replace(/\.\d+Z$/, "Z");
  const places = { camera, channel: recorder.channels[camera] ?? camera, iso, compact: iso.replace(/[-:]/g, ""), unix_s: Math.floor(time / 1000), unix_ms: time.getTime() };
  const href = recorder.address.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(places[name]));
  return h("a", { className: "button", "data-key": key, href, target: "_blank", rel: "noopener noreferrer" }, t("Other recorder"));
}
