// The cameras of the site: a form with a test picture, and what was changed, by whom.

import { get, send } from "./api.js";
import { addButtons, dialog, h, put, toast } from "./dom.js";
import { wallClock } from "./format.js";

// `changed` is called after the cameras of the run, or the file of edits, have changed.
export function camerasCard(changed) {
  const body = h("div", { className: "stack" }, h("p", { className: "soft" }, "Asking for the cameras…"));

  async function refresh() {
    try {
      show(await get("cameras"));
    } catch (error) {
      put(body, h("p", { className: "note" }, error.message));
    }
  }

  function show({ cameras, history }) {
    put(body,
      h("div", { className: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["camera", "state", "frames", "address", "detector", ""].map((title) => h("th", {}, title)))),
        h("tbody", {}, cameras.map((each) => h("tr", { "data-camera": each.camera }, h("td", {}, each.camera), h("td", {}, each.state), h("td", { className: "num" }, each.frames ?? ""),
          h("td", {}, each.address, each.username ? h("span", { className: "soft small" }, ` user ${each.username}`) : null), h("td", {}, each.detector_choice || (each.has_detector ? "its own" : "as the run")),
          h("td", {}, h("div", { className: "bar" }, each.is_removed
            ? h("button", { className: "plain", "data-key": `again ${each.camera}`, onclick: () => follow(send(`cameras/again?${new URLSearchParams({ camera: each.camera })}`)) }, "Add again")
            : [each.is_recording ? null : h("button", { className: "plain", "data-key": `change ${each.camera}`, onclick: () => form(each) }, "Change…"),
              h("button", { className: "plain", "data-key": `drop ${each.camera}`, onclick: () => removal(each) }, "Remove…")]))))))),
      h("div", { className: "bar" }, h("button", { "data-key": "new camera", onclick: () => form(null) }, "Add camera…"), h("button", { "data-key": "look at cameras", onclick: refresh }, "Look again")),
      history.length ? h("details", {}, h("summary", {}, `Changes of this run: ${history.length}`), h("ul", { className: "gates" }, history.map((each) => h("li", { "data-change": each.state },
        `${wallClock(each.at)} ${each.by}: ${each.kind} ${each.camera}${each.reason ? ` (${each.reason})` : ""}: ${each.state === "pending" ? "waits for the run" : each.outcome}`)))) : null);
  }

  // Waits for a change, says what came of it, and shows the cameras as they are then.
  async function follow(changing, undo = null) {
    try {
      const { state, outcome } = await changing;
      toast(outcome, { action: state === "done" && undo ? { name: "Undo", run: () => follow(undo()) } : null });
    } catch (error) {
      toast(error.message, { bad: true });
    }
    await refresh();
    await changed();
  }

  function removal({ camera, is_recording: isRecording }) {
    const [reason, from] = [why(), since()];
    const box = dialog(`Remove camera ${camera}?`, h("div", { className: "stack" },
      h("p", {}, "It is read no further. What it saw stays."), isRecording ? from.label : null, reason));
    addButtons(box, h("button", { className: "danger", "data-key": "remove camera", onclick: () => {
      box.close();
      const asked = { camera, reason: reason.value, ...from.value() };
      const again = () => send(`cameras/again?${new URLSearchParams({ camera, reason: "undo" })}`);
      follow(send(`cameras?${new URLSearchParams(asked)}`, {}, "DELETE"), "event_at" in asked ? null : again);
    } }, "Remove"));
  }

  // The form of a new camera, or of one that is changed.
  function form(before) {
    const field = (name, label, about = {}) => {
      const input = h("input", { name, maxLength: 200, "data-key": `camera ${name}`, autocomplete: "off", ...about });
      return { input, element: h("label", {}, label, input) };
    };
    const fields = {
      camera: field("camera", "Name", { required: true, maxLength: 100, value: before?.camera ?? "", disabled: Boolean(before) }),
      address: field("address", "Address", { required: true, maxLength: 2000, placeholder: "rtsp://10.0.0.9/live", value: before?.address ?? "", spellcheck: false }),
      username: field("username", "User", { value: before?.username ?? "" }),
      password: field("password", "Password", { type: "password", autocomplete: "new-password", placeholder: before?.username ? "as it is" : "" }),
      detector: field("detector", "Detector", { placeholder: "as the run", value: before?.detector_choice ?? "" }),
    };
    const [reason, from] = [why(), since()];
    const force = h("input", { type: "checkbox", "data-key": "camera force" });
    const result = h("div", { className: "stack", "aria-live": "polite" });
    const values = () => Object.fromEntries(Object.entries(fields).map(([name, { input }]) => [name, input.value]));
    const trial = h("button", { type: "button", "data-key": "try camera", onclick: tryOut }, "Test picture");
    const save = h("button", { className: "main", type: "button", "data-key": "save camera", onclick: submit }, before ? "Change" : "Add");
    const box = dialog(before ? `Change camera ${before.camera}` : "Add a camera", h("div", { className: "stack" }, fields.camera.element, fields.address.element,
      h("p", { className: "soft small" }, "A stream (rtsp, http, rtmp, srt, udp), the number of a device, or a file or folder where the site allows them."),
      h("div", { className: "bar" }, fields.username.element, fields.password.element), fields.detector.element,
      before ? h("p", { className: "small" }, "It is read anew, so its tracks begin anew. If the new address does not answer, nothing changes.")
        : [from.label, h("label", { className: "bar" }, force, "Add it although it is away now")],
      reason, trial, result));
    addButtons(box, save);

    async function tryOut() {
      trial.disabled = true;
      put(result, h("p", { className: "soft" }, "Asking the camera…"));
      try {
        const found = await send("cameras/try", values());
        const rate = found.rate_hz === null ? "" : `, ${found.rate_hz} pictures a second`;
        const picture = URL.createObjectURL(new Blob([Uint8Array.from(atob(found.picture), (sign) => sign.charCodeAt(0))], { type: "image/jpeg" }));
        put(result, h("img", { src: picture, onload: () => URL.revokeObjectURL(picture), alt: `Test picture of ${fields.camera.input.value}`, className: "test picture" }),
          h("p", { "data-trial": "camera" }, `${found.is_live ? "Live" : "A recording"}, ${found.width}×${found.height}${rate}. ${found.wrong}`));
      } catch (error) {
        put(result, h("p", { className: "error", role: "alert" }, error.message));
      }
      trial.disabled = false;
    }

    async function submit() {
      save.disabled = true;
      put(result, h("p", { className: "soft" }, "The run opens the camera…"));
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
  return h("section", { className: "card" }, h("h2", {}, "Cameras"), body);
}

function why() {
  return h("input", { maxLength: 500, "aria-label": "Reason", placeholder: "why, for the history" });
}

// The second of the recordings from which a change holds; empty for live cameras.
function since() {
  const input = h("input", { type: "number", step: "any", "data-key": "camera event_at", placeholder: "live cameras: at once" });
  return { label: h("label", {}, "Second of the recordings from which it holds", input), value: () => (input.value === "" ? {} : { event_at: Number(input.value) }) };
}
