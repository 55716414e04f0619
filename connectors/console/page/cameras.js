// The cameras of the site: a form with a test picture, and what was changed, by whom.

import { get, send } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { wallClock } from "./format.js";
import { t, told } from "./language.js";
import { CAMERA_CHANGES } from "./words.js";

// `changed` is called after the cameras of the run, or the file of edits, have changed.
export function camerasCard(changed) {
  const body = h("div", { className: "stack" }, h("p", { className: "soft" }, t("Asking for the cameras…")));

  async function refresh() {
    try {
      show(await get("cameras"));
    } catch (error) {
      put(body, h("p", { className: "note" }, error.message));
    }
  }

  function show({ cameras, history }) {
    put(body,
      h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, [t("camera"), t("state"), t("frames"), t("address"), t("detector"), ""].map((title) => h("th", {}, title)))),
        h("tbody", {}, cameras.map((each) => h("tr", { "data-camera": each.camera }, h("td", {}, each.camera), h("td", {}, told(each.state)), h("td", { className: "num" }, each.frames ?? ""),
          h("td", {}, each.address, each.username ? h("span", { className: "soft small" }, ` ${t("user {name}", { name: each.username })}`) : null), h("td", {}, each.detector_choice || (each.has_detector ? t("its own") : t("as the run"))),
          h("td", {}, h("div", { className: "bar" }, each.is_removed
            ? h("button", { className: "plain", "data-key": `again ${each.camera}`, onclick: () => follow(send(`cameras/again?${new URLSearchParams({ camera: each.camera })}`)) }, t("Add again"))
            : [each.is_recording ? null : h("button", { className: "plain", "data-key": `change ${each.camera}`, onclick: () => form(each) }, t("Change…")),
              h("button", { className: "plain", "data-key": `drop ${each.camera}`, onclick: () => removal(each) }, t("Remove…"))]))))))),
      h("div", { className: "bar" }, h("button", { "data-key": "new camera", onclick: () => form(null) }, t("Add camera…")), h("button", { "data-key": "look at cameras", onclick: refresh }, t("Look again"))),
      history.length ? h("details", {}, h("summary", {}, t("Changes of this run: {count}", { count: history.length })), h("ul", { className: "gates" }, history.map((each) => h("li", { "data-change": each.state },
        `${wallClock(each.at)} ${each.by}: ${each.camera} ${CAMERA_CHANGES[each.kind]}${each.reason ? ` (${each.reason})` : ""}: ${each.state === "pending" ? t("waits for the run") : told(each.outcome)}`)))) : null);
  }

  // Waits for a change, says what came of it, and shows the cameras as they are then.
  async function follow(changing, undo = null) {
    try {
      const { state, outcome } = await changing;
      toast(told(outcome), { action: state === "done" && undo ? { name: t("Undo"), run: () => follow(undo()) } : null });
    } catch (error) {
      toast(error.message, { bad: true });
    }
    await refresh();
    await changed();
  }

  function removal({ camera, is_recording: isRecording }) {
    const [reason, from] = [why(), since()];
    const box = dialog(t("Remove camera {camera}?", { camera }), h("div", { className: "stack" },
      h("p", {}, t("It is read no further. What it saw stays.")), isRecording ? from.label : null, reason));
    addButtons(box, h("button", { className: "danger", "data-key": "remove camera", onclick: () => {
      box.close();
      const asked = { camera, reason: reason.value, ...from.value() };
      const again = () => send(`cameras/again?${new URLSearchParams({ camera, reason: "undo" })}`);
      follow(send(`cameras?${new URLSearchParams(asked)}`, {}, "DELETE"), "event_at" in asked ? null : again);
    } }, t("Remove")));
  }

  // The form of a new camera, or of one that is changed.
  function form(before) {
    const field = (name, label, about = {}) => {
      const input = h("input", { name, maxLength: 200, "data-key": `camera ${name}`, autocomplete: "off", ...about });
      return { input, element: h("label", {}, label, input) };
    };
    const fields = {
      camera: field("camera", t("Name"), { required: true, maxLength: 100, value: before?.camera ?? "", disabled: Boolean(before) }),
      address: field("address", t("Address"), { required: true, maxLength: 2000, placeholder: "rtsp://10.0.0.9/live", value: before?.address ?? "", spellcheck: false }),
      username: field("username", t("User"), { value: before?.username ?? "" }),
      password: field("password", t("Password"), { type: "password", autocomplete: "new-password", placeholder: before?.username ? t("as it is") : "" }),
      detector: field("detector", t("Detector"), { placeholder: t("as the run"), value: before?.detector_choice ?? "" }),
    };
    const [reason, from] = [why(), since()];
    const force = h("input", { type: "checkbox", "data-key": "camera force" });
    const result = h("div", { className: "stack", "aria-live": "polite" });
    const values = () => Object.fromEntries(Object.entries(fields).map(([name, { input }]) => [name, input.value]));
    const trial = h("button", { type: "button", "data-key": "try camera", onclick: tryOut }, t("Test picture"));
    const save = h("button", { className: "main", type: "button", "data-key": "save camera", onclick: submit }, before ? t("Change") : t("Add"));
    const box = dialog(before ? t("Change camera {camera}", before) : t("Add a camera"), h("div", { className: "stack" }, fields.camera.element, fields.address.element,
      h("p", { className: "soft small" }, t("A stream (rtsp, http, rtmp, srt, udp), the number of a device, or a file or folder where the site allows them.")),
      h("div", { className: "bar" }, fields.username.element, fields.password.element), fields.detector.element,
      before ? h("p", { className: "small" }, t("It is read anew, so its tracks begin anew. If the new address does not answer, nothing changes."))
        : [from.label, h("label", { className: "bar" }, force, t("Add it although it is away now"))],
      reason, trial, result));
    addButtons(box, save);

    async function tryOut() {
      trial.disabled = true;
      put(result, h("p", { className: "soft" }, t("Asking the camera…")));
      try {
        const found = await send("cameras/try", values());
        const rate = found.rate_hz === null ? "" : t(", {rate} pictures a second", { rate: found.rate_hz });
        const picture = URL.createObjectURL(new Blob([Uint8Array.from(atob(found.picture), (sign) => sign.charCodeAt(0))], { type: "image/jpeg" }));
        put(result, h("img", { src: picture, onload: () => URL.revokeObjectURL(picture), alt: t("Test picture of {camera}", { camera: fields.camera.input.value }), className: "test picture" }),
          h("p", { "data-trial": "camera" }, `${found.is_live ? t("Live") : t("A recording")}, ${found.width}×${found.height}${rate}. ${told(found.wrong)}`));
      } catch (error) {
        put(result, h("p", { className: "error", role: "alert" }, error.message));
      }
      trial.disabled = false;
    }

    async function submit() {
      save.disabled = true;
      put(result, h("p", { className: "soft" }, t("The run opens the camera…")));
      const camera = fields.camera.input.value.trim();
      try {
        const changing = await send("cameras", { ...values(), reason: reason.value, ...(before ? {} : { force: force.checked, ...from.value() }) }, before ? "PUT" : "POST");
        box.close();
        const removal = () => send(`cameras?${new URLSearchParams({ camera, reason: "undo" })}`, {}, "DELETE");
        await follow(changing, before ? null : removal);
      } catch (error) {
        put(result, h("p", { className: "error", role: "alert" }, error.message));
        save.disabled = false;
      }
    }
  }

  refresh();
  return h("section", { className: "card" }, h("h2", {}, t("Cameras")), body);
}

function why() {
  return h("input", { maxLength: 500, "aria-label": t("Reason"), placeholder: t("why, for the history") });
}

// The second of the recordings from which a change holds; empty for live cameras.
function since() {
  const input = h("input", { type: "number", step: "any", "data-key": "camera event_at", placeholder: t("live cameras: at once") });
  return { label: h("label", {}, t("Second of the recordings from which it holds"), input), value: () => (input.value === "" ? {} : { event_at: Number(input.value) }) };
}
