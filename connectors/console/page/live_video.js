// Live video of one camera at its own rate, and at which moment the picture was that it shows.

import { h } from "./dom.js";
import { socket } from "./api.js";

const CODECS = ["avc1.640029", "avc1.64002A", "avc1.640033", "hvc1.1.6.L153.B0"]; // of pictures alone: there is no sound
const AGAIN_MS = 5000;
const KEPT_S = 8; // behind what is shown
const BEHIND_S = 3; // at most: who is seen later than that is drawn later
const FAR_S = 2; // from the moment to be shown: jump there
const NEAR_S = 0.15; // less is not corrected
const NOT_ALLOWED = 4403;

export class LiveVideo {
  constructor(camera) {
    this.camera = camera;
    this.element = h("video", { muted: true, playsInline: true });
    this.marks = []; // where fragments end in the video, seconds, and when each came to the server, Unix seconds
    this.waiting = [];
    this.isOver = false;
    this.open();
  }

  static isPossible() {
    return Boolean(window.MediaSource);
  }

  open() {
    if (this.isOver) return;
    this.close();
    const [source, mine] = [new MediaSource(), {}];
    this.url = URL.createObjectURL(source);
    this.element.src = this.url;
    this.mine = mine;
    source.onsourceopen = () => {
      if (this.mine !== mine) return;
      const connection = socket(`/api/video?${new URLSearchParams({ camera: this.camera })}`, {
        binary: true,
        message: (data) => { if (this.mine === mine) this.take(source, data); },
        closed: (event) => { if (this.mine === mine) { this.close(); if (event.code !== NOT_ALLOWED) this.again = setTimeout(() => this.open(), AGAIN_MS); } },
      });
      connection.onopen = () => connection.send(CODECS.filter((each) => MediaSource.isTypeSupported(`video/mp4; codecs="${each}"`)).join());
      this.connection = connection;
    };
  }

  take(source, data) {
    if (typeof data === "string") {
      const { mime } = JSON.parse(data);
      if (!mime || this.buffer || !MediaSource.isTypeSupported(mime)) return this.fail();
      this.buffer = source.addSourceBuffer(mime);
      this.buffer.onupdateend = () => this.added();
      return undefined;
    }
    this.waiting.push({ at: new DataView(data).getFloat64(0), fragment: new Uint8Array(data, 8) });
    return this.append();
  }

  append() {
    if (!this.buffer || this.buffer.updating || !this.waiting.length) return;
    const { at, fragment } = this.waiting.shift();
    this.adding = at;
    try {
      this.buffer.appendBuffer(fragment);
    } catch {
      this.fail(); // no room, or no video
    }
  }

  added() {
    if (!this.buffer) return;
    const { buffered } = this.buffer;
    if (buffered.length && this.adding !== null) {
      const end = buffered.end(buffered.length - 1);
      if (end !== this.marks.at(-1)?.end) this.marks.push({ end, at: this.adding });
      if (this.marks.length > 300) this.marks.shift();
      this.adding = null;
      const first = this.element.currentTime - KEPT_S;
      if (buffered.start(0) < first - KEPT_S) { this.buffer.remove(0, first); return; }
    }
    this.append();
  }

  // The moment of the picture that is shown, Unix seconds by the server's clock; null without one.
  at() {
    const now = this.element.currentTime;
    const mark = this.marks.find((each) => each.end >= now) ?? this.marks.at(-1);
    return this.element.readyState < 2 || !mark ? null : mark.at - (mark.end - now);
  }

  // Plays so that this moment is shown, or the newest there is before it: who is in a picture is known some time after it.
  follow(wanted) {
    const [newest, video] = [this.marks.at(-1), this.element];
    if (!newest) return;
    const target = newest.end - Math.min(BEHIND_S, Math.max(0, newest.at - wanted));
    const off = target - video.currentTime;
    if (Math.abs(off) > FAR_S) video.currentTime = Math.max(0, target);
    video.playbackRate = Math.abs(off) < NEAR_S ? 1 : 1 + Math.max(-0.5, Math.min(0.5, off));
    if (video.paused) video.play().catch(() => {});
  }

  fail() {
    this.close();
    this.again = setTimeout(() => this.open(), AGAIN_MS);
  }

  close() {
    clearTimeout(this.again);
    this.mine = null;
    this.connection?.close();
    [this.connection, this.buffer, this.marks, this.waiting, this.adding] = [null, null, [], [], null];
    this.element.removeAttribute("src");
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  end() {
    this.isOver = true;
    this.close();
  }
}
