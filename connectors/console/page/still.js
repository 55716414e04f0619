// A picture of a camera to draw on: the newest live one, or the first of its recording.

import { socket } from "./api.js";

const WAIT_MS = 2500;
const decoder = new TextDecoder();

// Returns the picture and the size of the camera's frames, or null where there is none.
export async function still(camera, isLive) {
  return (isLive ? await live(camera) : null) ?? recorded(camera);
}

function live(camera) {
  return new Promise((resolve) => {
    const finish = (found) => { clearTimeout(timer); resolve(found); pictures.close(); };
    const timer = setTimeout(() => finish(null), WAIT_MS);
    const pictures = socket(`/api/live?cameras=${encodeURIComponent(JSON.stringify([camera]))}`, {
      binary: true,
      closed: () => finish(null),
      message: async (data) => {
        const length = new DataView(data).getUint32(0);
        const header = JSON.parse(decoder.decode(new Uint8Array(data, 4, length)));
        const picture = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" })).catch(() => null);
        if (picture) finish({ picture, frame_hw: header.frame_hw?.length === 2 ? header.frame_hw : [picture.height, picture.width] });
      },
    });
  });
}

async function recorded(camera) {
  const answer = await fetch(`/api/rules/picture?${new URLSearchParams({ camera })}`).catch(() => null);
  if (!answer?.ok) return null;
  const picture = await createImageBitmap(await answer.blob()).catch(() => null);
  return picture && { picture, frame_hw: [picture.height, picture.width] };
}
