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
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), action ? 12000 : 5000);
}

// Opens a dialog, which is removed when it is closed, and returns it.
export function dialog(title, ...children) {
  const box = h("dialog", { "aria-label": title, onclose: () => box.remove() }, h("h2", {}, title), ...children);
  document.body.append(box);
  box.showModal();
  return box;
}

export function addButtons(box, ...buttons) {
  box.append(h("div", { className: "buttons" }, h("button", { onclick: () => box.close() }, t("Cancel")), ...buttons));
}
