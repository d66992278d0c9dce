/** Hit points and activity over the whole log. */

import { memo, useMemo } from "react";
import { Chart, type Line } from "./Chart.js";
import type { History, Life } from "./history.js";
import { activity, hitPoints, LINES, liveliest, pointsAt, stretch } from "./series.js";

const STYLES: Line[] = [
  { colour: "--moss", dash: [] },
  { colour: "--river", dash: [8, 3] },
  { colour: "--ember", dash: [3, 3] },
  { colour: "--candle", dash: [10, 3, 2, 3] },
  { colour: "--ink", dash: [2, 4] },
  { colour: "--quiet", dash: [14, 4] },
];
const BARS: Line[] = [{ colour: "--river", dash: [] }];

export const Charts = memo(function Charts({
  history,
  head,
  version,
  go,
}: {
  history: History;
  head: number;
  version: number;
  go: (version: number) => void;
}) {
  return (
    <>
      <Lives history={history} head={head} version={version} go={go} />
      <Busy history={history} head={head} version={version} go={go} />
    </>
  );
});

interface Of {
  history: History;
  head: number;
  version: number;
  go: (version: number) => void;
}

function Lives({ history, head, version, go }: Of) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the history grows with its head
  const lives = useMemo(() => liveliest(history), [history, head]);
  const data = useMemo(() => hitPoints(lives, head), [lives, head]);
  const label = useMemo(
    () => `Hit points by version: ${lives.map(life => `${life.name} ${course(life)}`).join("; ")}.`,
    [lives],
  );
  const more = history.lives.size - lives.length;
  return (
    <div className="board">
      <h2>Hit points</h2>
      {lives.length === 0 ? (
        <p className="hush">Nobody in this log has hit points.</p>
      ) : (
        <>
          <Chart
            label={label}
            data={data}
            kind="steps"
            lines={STYLES.slice(0, lives.length)}
            timed={false}
            at={version}
            onPick={place => go(Math.round(place))}
          />
          <ul className="legend small" aria-label="Hit points now">
            {lives.map((life, index) => (
              <li key={life.key}>
                <span className={`dash line-${index}`} aria-hidden="true" />
                <span dir="auto">{life.name}</span>{" "}
                <span className="hush">{pointsAt(life, version) ?? "—"}</span>
              </li>
            ))}
          </ul>
          {more > 0 && (
            <p className="hush small">
              and {more} more, who changed less: the {LINES} liveliest are drawn
            </p>
          )}
        </>
      )}
    </div>
  );
}

function course({ points }: Life): string {
  const known = points.filter(each => each !== null);
  return `from ${known[0]} to ${points.at(-1) ?? "gone"}, ${Math.min(...known)} at the least`;
}

function Busy({ history, head, version, go }: Of) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the history grows with its head
  const { width, starts, counts } = useMemo(() => activity(history), [history, head]);
  const data = useMemo(() => [starts, counts], [starts, counts]);
  const most = counts.reduce((one, other) => Math.max(one, other), 0);
  return (
    <div className="board">
      <h2>Activity</h2>
      <Chart
        label={`Events by time, a bar for every ${stretch(width)}: ${most} at the most.`}
        data={data}
        kind="bars"
        lines={BARS}
        timed
        at={history.time(version) / 1_000}
        onPick={place => go(history.versionAt(place * 1_000))}
      />
      <p className="hush small">Events in every {stretch(width)}.</p>
    </div>
  );
}
