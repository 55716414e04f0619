// The recorded video of one camera, at any moment of event time. It is fetched in pieces; the next one before it is needed.

import { h, put } from "./dom.js";
import { t, told } from "./language.js";

const PIECE_S = 30;
const AHEAD_S = 10; // seconds before the end of a piece at which the next one is fetched
const EDGE_S = 0.2; // before and after a span, its first and last picture stand; cameras do not begin at once
const MAX_DRIFT_S = 0.25; // from the common time; less makes videos jump more often

export class RecordedVideo {
  constructor(camera) {
    this.camera = camera;
    this.spans = [];
    this.pieces = [];
    this.screen = h("div", { className: "screen" });
    this.state = h("span", { className: "soft small", role: "status" });
    this.element = h("figure", { className: "camera", "data-camera": camera }, this.screen,
      h("figcaption", {}, h("div", { className: "line num" }, h("b", {}, camera), this.state)));
  }

  // Takes the spans of which there is video. Pieces that are not within them any more are gone: somebody was erased.
  setSpans(spans) {
    this.spans = spans;
    for (const piece of [...this.pieces]) {
      if (!spans.some(([from, until]) => from <= piece.from + 0.01 && piece.until <= until + 0.01)) this.drop(piece);
    }
  }

  // Shows a moment; returns whether its picture is there, or none is to come.
  show(at, isPlaying, speed) {
    const piece = this.pieceAt(at);
    if (!piece) return this.say(t("Nothing is recorded here."));
    if (isPlaying && at > piece.until - AHEAD_S * speed) this.pieceAt(piece.until + 0.01);
    if (piece.error) return this.say(piece.error);
    if (piece.beginsAt === null) return false;
    const { video } = piece;
    if (this.screen.firstChild !== video) {
      this.pause();
      put(this.screen, video);
      put(this.state);
    }
    const target = Math.max(0, at - piece.beginsAt);
    if (!isPlaying) this.pause();
    if (video.readyState === 0) return false;
    const drift = Math.abs(video.currentTime - Math.min(target, video.duration));
    if (!video.seeking && drift > (isPlaying ? MAX_DRIFT_S * Math.max(1, speed) : 0.001)) video.currentTime = target;
    if (isPlaying && !video.ended) {
      video.playbackRate = speed;
      if (video.paused) video.play().catch(() => {});
    }
    this.element.dataset.at = (piece.beginsAt + video.currentTime).toFixed(3);
    return !video.seeking && (video.ended || video.readyState >= (isPlaying ? 3 : 2));
  }

  pause() {
    const video = this.screen.querySelector("video");
    if (video && !video.paused) video.pause();
  }

  close() {
    for (const piece of [...this.pieces]) this.drop(piece);
  }

  say(text) {
    if (this.state.textContent !== text) {
      this.pause();
      put(this.screen);
      put(this.state, text);
    }
    delete this.element.dataset.at;
    return true;
  }

  pieceAt(moment) {
    const span = this.spans.find(([from, until]) => from - EDGE_S <= moment && moment <= until + EDGE_S);
    if (!span) return null;
    const at = Math.min(Math.max(moment, span[0]), span[1] - 0.001);
    const found = this.pieces.find((piece) => piece.from <= at && at < piece.until);
    if (found) return found;
    const begin = Math.floor(at / PIECE_S) * PIECE_S;
    const piece = { from: Math.max(begin, span[0]), until: Math.min(begin + PIECE_S, span[1]), beginsAt: null, error: "", url: null };
    piece.video = h("video", { muted: true, playsInline: true, preload: "auto", "aria-label": t("Camera {camera}", { camera: this.camera }),
      onerror: () => { if (piece.url) piece.error = t("The browser cannot play this video; save it instead."); } });
    this.pieces.push(piece);
    while (this.pieces.length > 3) this.drop(this.pieces[0]);
    this.fetch(piece);
    return piece;
  }

  async fetch(piece) {
    const query = new URLSearchParams({ camera: this.camera, since: piece.from, until: piece.until });
    try {
      const answer = await fetch(`/api/recordings/film.mp4?${query}`);
      if (!answer.ok) throw new Error(told((await answer.json()).detail));
      const film = await answer.blob();
      if (!this.pieces.includes(piece)) return;
      piece.url = URL.createObjectURL(film);
      piece.beginsAt = Number(answer.headers.get("x-begins-at"));
      piece.video.src = piece.url;
    } catch (error) {
      piece.error = error instanceof TypeError ? t("The server does not answer.") : error.message;
      setTimeout(() => this.drop(piece), 3000); // and then it is tried again
    }
  }

  drop(piece) {
    this.pieces = this.pieces.filter((each) => each !== piece);
    if (this.screen.firstChild === piece.video) put(this.screen);
    piece.video.removeAttribute("src");
    if (piece.url) URL.revokeObjectURL(piece.url);
    piece.url = null;
  }
}
