// Where people are on the ground at a moment: from the ledger, which has a place every few seconds, or as cameras send it.

export const TRAIL_S = 20;
const LEAD_S = 3; // before the first place and after the last one of a track, which is the end of a part
const GONE_MS = 2500; // a person who was in no picture for this long is not shown
const decoder = new TextDecoder();

// Several cameras may see a person at one time: the mean of the places is shown.
function byPerson(found) {
  const people = new Map();
  for (const each of found) {
    const key = each.person ? `person ${each.person}` : each.track;
    people.set(key, [...(people.get(key) ?? []), each]);
  }
  return [...people].map(([key, mine]) => ({
    key, person: mine[0].person, cameras: [...new Set(mine.map((each) => each.camera))],
    place: [0, 1].map((side) => mine.reduce((sum, each) => sum + each.place[side], 0) / mine.length),
    trails: mine.map((each) => each.trail),
  }));
}

export class StoredWalks {
  constructor(walks) {
    this.walks = walks;
  }

  people(at) {
    return byPerson(this.walks.filter(({ from, places }) => Math.min(from, places[0][0]) <= at && at <= places.at(-1)[0] + LEAD_S / 10).map((walk) => {
      const trail = walk.places.filter(([time]) => time <= at && time >= at - TRAIL_S).map(([, x, y]) => [x, y]);
      const place = placeAt(walk.places, at);
      return { ...walk, place, trail: [...trail, place] };
    }));
  }

  places() {
    return this.walks.flatMap(({ places }) => places.map(([, x, y]) => [x, y]));
  }

  isEmpty(from, until) {
    return !this.walks.some(({ from: first, places }) => first <= until && places.at(-1)[0] >= from);
  }
}

// The place between two known ones, on a straight line.
function placeAt(places, at) {
  const next = places.findIndex(([time]) => time >= at);
  if (next <= 0) return places.at(next).slice(1);
  const [before, after] = [places[next - 1], places[next]];
  const share = (at - before[0]) / Math.max(after[0] - before[0], 1e-6);
  return [1, 2].map((side) => before[side] + share * (after[side] - before[side]));
}

export class LiveWalks {
  constructor() {
    this.tracks = new Map();
  }

  // Takes a message of a camera: who is where in its newest picture.
  take(data) {
    const header = JSON.parse(decoder.decode(new Uint8Array(data, 4, new DataView(data).getUint32(0))));
    const now = performance.now();
    for (const { track, person, place } of header.people) {
      if (!place) continue;
      const known = this.tracks.get(track) ?? { track, camera: header.camera, places: [] };
      known.places = [...known.places.filter(([time]) => now - time < TRAIL_S * 1000), [now, ...place]];
      this.tracks.set(track, { ...known, person });
    }
  }

  people(now) {
    for (const [track, { places }] of this.tracks) if (now - places.at(-1)[0] > TRAIL_S * 1000) this.tracks.delete(track);
    return byPerson([...this.tracks.values()].filter(({ places }) => now - places.at(-1)[0] < GONE_MS).map((each) => {
      const trail = each.places.map(([, x, y]) => [x, y]);
      return { ...each, place: trail.at(-1), trail };
    }));
  }

  places() {
    return [...this.tracks.values()].flatMap(({ places }) => places.map(([, x, y]) => [x, y]));
  }
}
