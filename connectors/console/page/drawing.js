// A picture on which zones, lines and points are drawn, with the mouse, a finger, or the keyboard.

import { h } from "./dom.js";
import { t } from "./language.js";

const NEAR_PX = 12;
const STEP = 0.004;

// Points are shares of the picture, from 0 to 1. `changed` is called after each change of a shape.
export class Drawing {
  constructor(changed) {
    this.changed = changed;
    this.shapes = [];
    this.selected = null;
    this.pending = null;
    this.held = null;
    this.marks = [];
    this.picture = null;
    this.canvas = h("canvas", { width: 640, height: 360, tabIndex: 0, role: "application", "aria-label": t("Picture to draw on. The fields beside it take the same corners as numbers.") });
    // The edge around the picture takes what is meant for its corners.
    this.element = h("div", { className: "edge" }, this.canvas);
    this.element.onpointerdown = (event) => this.press(event);
    this.element.onpointermove = (event) => this.move(event);
    this.element.onpointerup = this.element.onpointercancel = () => this.release();
    this.element.onmousedown = (event) => { if (event.target !== this.canvas) { event.preventDefault(); this.canvas.focus(); } };
    this.canvas.onkeydown = (event) => this.key(event);
  }

  show(picture) {
    this.picture = picture;
    [this.canvas.width, this.canvas.height] = [picture?.width ?? 640, picture?.height ?? 360];
    this.draw();
  }

  // Calls `done` with the points once they are set: `least` at least, `most` at most.
  begin(least, most, done) {
    this.pending = { points: [], least, most, done };
    this.canvas.focus();
    this.draw();
  }

  finish() {
    const { points, least, done } = this.pending;
    if (points.length < least) return;
    this.pending = null;
    done(points);
    this.draw();
  }

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top].map((value, side) => Math.min(1, Math.max(0, value / (side ? frame.height : frame.width))));
  }

  isNear([x, y], [a, b]) {
    const frame = this.canvas.getBoundingClientRect();
    return Math.hypot((x - a) * frame.width, (y - b) * frame.height) < NEAR_PX;
  }

  press(event) {
    const at = this.at(event);
    if (this.pending) {
      const { points, least, most } = this.pending;
      if (points.length >= least && this.isNear(at, points[0])) return this.finish();
      points.push(at);
      if (points.length === most) this.finish();
      return this.draw();
    }
    for (const shape of this.shapes) {
      const corner = shape.points.findIndex((point) => this.isNear(at, point));
      if (corner >= 0) return this.hold(event, shape, corner);
    }
    for (const shape of this.shapes.filter((each) => each.isZone)) {
      // The middle of an edge becomes a corner.
      const edge = shape.points.findIndex((point, index) => this.isNear(at, middle(point, shape.points[(index + 1) % shape.points.length])));
      if (edge >= 0) {
        shape.points.splice(edge + 1, 0, at);
        return this.hold(event, shape, edge + 1);
      }
    }
    this.selected = this.shapes.find((shape) => shape.isZone && isInside(at, shape.points)) ?? null;
    this.draw();
  }

  hold(event, shape, corner) {
    this.canvas.setPointerCapture(event.pointerId);
    this.selected = shape;
    this.held = { shape, corner };
    this.draw();
  }

  move(event) {
    if (!this.held) return;
    this.held.shape.points[this.held.corner] = this.at(event);
    this.draw();
  }

  release() {
    if (!this.held) return;
    const { shape } = this.held;
    this.held = null;
    this.changed(shape);
  }

  key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === "Escape") { this.pending = null; this.selected = null; }
    else if (event.key === "Enter" && this.pending) this.finish();
    else if (event.key === "Backspace" && this.pending) this.pending.points.pop();
    else if (event.key in moves && this.selected && !this.pending) {
      this.selected.points = this.selected.points.map((point) => point.map((value, side) => Math.min(1, Math.max(0, value + moves[event.key][side]))));
      this.changed(this.selected);
    } else return;
    event.preventDefault();
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const pen = canvas.getContext("2d");
    const unit = canvas.width / 640;
    pen.fillStyle = "#101214";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (this.picture) pen.drawImage(this.picture, 0, 0);
    for (const shape of this.shapes) this.outline(pen, unit, shape, shape === this.selected);
    if (this.pending) this.outline(pen, unit, { name: "", points: this.pending.points, isOpen: true }, true);
    for (const { point, back, name, isBad } of this.marks) {
      cross(pen, unit, point, canvas, isBad ? "#ff5a5a" : "#ffc400");
      if (back) {
        pen.strokeStyle = "#6fd3ff";
        pen.lineWidth = 2 * unit;
        pen.beginPath();
        pen.moveTo(point[0] * canvas.width, point[1] * canvas.height);
        pen.lineTo(back[0] * canvas.width, back[1] * canvas.height);
        pen.stroke();
        pen.beginPath();
        pen.arc(back[0] * canvas.width, back[1] * canvas.height, 5 * unit, 0, 7);
        pen.stroke();
      }
      label(pen, unit, name, point, canvas);
    }
  }

  outline(pen, unit, { kind, name, points, isZone, isOpen }, isSelected) {
    const { canvas } = this;
    if (!points.length) return;
    pen.lineWidth = (isSelected ? 3.5 : 2) * unit;
    pen.strokeStyle = isZone ? "#ffc400" : isOpen ? "#6fd3ff" : "#ff5a5a";
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(x * canvas.width, y * canvas.height);
    if (isZone) pen.closePath();
    pen.stroke();
    if (kind === "masks") { pen.fillStyle = "#404040e0"; pen.fill(); }
    if (isSelected && isZone) { pen.fillStyle = "#ffc40033"; pen.fill(); }
    for (const [index, [x, y]] of points.entries()) {
      pen.fillStyle = !isZone && !isOpen && index ? "#ff5a5a" : "#ffffff"; // a line ends at its red point
      pen.beginPath();
      pen.arc(x * canvas.width, y * canvas.height, (isSelected ? 6 : 4) * unit, 0, 7);
      pen.fill();
    }
    if (name) label(pen, unit, name, points.reduce((top, point) => (point[1] < top[1] ? point : top)), canvas);
  }
}

function label(pen, unit, name, [x, y], canvas) {
  pen.font = `600 ${12 * unit}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const wide = pen.measureText(name).width + 8 * unit;
  const [left, top] = [Math.min(x * canvas.width, canvas.width - wide), Math.max(9 * unit, y * canvas.height - 14 * unit)];
  pen.fillStyle = "#202228cc";
  pen.fillRect(left, top - 9 * unit, wide, 18 * unit);
  pen.fillStyle = "#ffffff";
  pen.fillText(name, left + 4 * unit, top + unit);
}

function cross(pen, unit, [x, y], canvas, colour) {
  const [left, top, arm] = [x * canvas.width, y * canvas.height, 7 * unit];
  pen.strokeStyle = colour;
  pen.lineWidth = 2.5 * unit;
  pen.beginPath();
  pen.moveTo(left - arm, top); pen.lineTo(left + arm, top);
  pen.moveTo(left, top - arm); pen.lineTo(left, top + arm);
  pen.stroke();
}

function middle([a, b], [c, d]) {
  return [(a + c) / 2, (b + d) / 2];
}

function isInside([x, y], points) {
  let inside = false;
  points.forEach(([x1, y1], index) => {
    const [x2, y2] = points[(index + 1) % points.length];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}
