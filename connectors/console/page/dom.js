// Creates elements. Text stays text, so the name of a camera or a person can never become markup.

import { t } from "./language.js";

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

export function s(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Replaces the children, and keeps the focus on the element with the same data-key.
export function put(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset?.key : null;
  parent.replaceChildren(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export function toast(text, { bad = false, action = null } = {}) {
  const box = h("div", { className: bad ? "toast bad" : "toast" }, h("span", {}, text));
  if (action) box.append(h("button", { onclick: () => { box.remove(); action.run(); } }, action.name));
  box.append(closing(() => box.remove()));
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), action ? 12000 : 5000);
}

// The button that closes a toast.
export function closing(close) {
  return h("button", { className: "close", "aria-label": t("Close"), onclick: close }, "×");
}

// Opens a dialog, which is removed when it is closed, and returns it. It closes with its page.
export function dialog(title, ...children) {
  const box = h("dialog", { "aria-label": title, onclose: () => box.remove() }, h("h2", {}, title), ...children);
  document.body.append(box);
  box.showModal();
  return box;
}

// Keeps a dialog with what is shown once: neither Escape nor another page closes it.
export function hold(box) {
  box.dataset.held = "yes";
  box.closedBy = "none";
  box.addEventListener("cancel", (event) => event.preventDefault());
}

export function closeDialogs() {
  for (const box of document.querySelectorAll("dialog:not([data-held])")) box.close();
}

// Adds a button that does something, and Cancel. The dialog closes when it is done; until then it stays, with the error.
export function addAction(box, name, work, className = "main") {
  const error = h("p", { className: "error", role: "alert" });
  const button = h("button", { className, onclick: async () => {
    button.disabled = true;
    put(error);
    try {
      await work();
      box.close();
    } catch (refused) {
      put(error, refused.message);
    }
    button.disabled = false;
  } }, name);
  box.append(error);
  addButtons(box, button);
  return button;
}

export function addButtons(box, ...buttons) {
  box.append(h("div", { className: "buttons" }, h("button", { onclick: () => box.close() }, t("Cancel")), ...buttons));
}
