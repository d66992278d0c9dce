/** What the charts draw: a few hundred points at the most, however long the log is. */

import type { History, Life } from "./history.js";

/** More lines than these nobody can tell apart. */
export const LINES = 6;
const BUCKETS = 80;
const PLACES = 240;
const SECOND = 1_000;
const WIDTHS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800,
  604_800, 2_592_000, 31_536_000, 315_360_000,
];

/** The characters whose hit points moved the most, in the order of the document. */
export function liveliest(history: History): Life[] {
  const all = [...history.lives.values()];
  const busiest = [...all].sort((one, other) => other.versions.length - one.versions.length);
  const chosen = new Set(busiest.slice(0, LINES));
  return all.filter(life => chosen.has(life));
}

/** Hit points by version: the versions at which any of them changed, and each line's points there. */
export function hitPoints(lives: readonly Life[], head: number): (number | null)[][] {
  const versions = new Set([1, head, ...lives.flatMap(life => life.versions)]);
  const all = [...versions].sort((one, other) => one - other);
  // More would lie upon each other; what is left out is between two that are there.
  const every = Math.ceil(all.length / PLACES);
  const places = all.filter((_, index) => index % every === 0 || index === all.length - 1);
  return [places, ...lives.map(life => places.map(version => pointsAt(life, version)))];
}

/** A character's hit points at a version. */
export function pointsAt({ versions, points }: Life, version: number): number | null {
  let [low, high] = [0, versions.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((versions[middle] as number) <= version) low = middle + 1;
    else high = middle;
  }
  return points[low - 1] ?? null;
}

export interface Activity {
  /** Seconds that one bar stands for. */
  width: number;
  /** When each bar begins, in seconds, and how many events it has. */
  starts: number[];
  counts: number[];
}

/** How many events there were, by time. */
export function activity(history: History): Activity {
  const [first, last] = [history.time(1) / SECOND, history.time(history.head) / SECOND];
  const width = WIDTHS.find(each => (last - first) / each < BUCKETS) ?? 3_153_600_000;
  const begin = Math.floor(first / width) * width;
  const counts = new Array<number>(Math.floor((last - begin) / width) + 1).fill(0);
  for (let version = 1; version <= history.head; version += 1) {
    const place = Math.floor((history.time(version) / SECOND - begin) / width);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  // Where the last bar ends.
  counts.push(0);
  return { width, starts: counts.map((_, place) => begin + place * width), counts };
}

/** A stretch of time, in its largest unit. */
export function stretch(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "day"],
    [3_600, "hour"],
    [60, "minute"],
  ];
  const [size, name] = units.find(([unit]) => seconds >= unit) ?? [1, "second"];
  const count = Math.round(seconds / size);
  return count === 1 ? name : `${count} ${name}s`;
}
