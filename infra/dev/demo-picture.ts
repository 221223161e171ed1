/** Draws a run of the demo as an SVG that plays by itself: what each replica had under way, what was decided, and the books at the end. */

/** One look at the fleet; `underWay` has an entry for each replica that was alive. */
export type Frame = { readonly atMs: number; readonly decided: number; readonly underWay: Readonly<Record<string, number>> };
export type Film = {
  readonly frames: readonly Frame[];
  /** What the demo said, and when. */
  readonly told: readonly { readonly atMs: number; readonly what: string }[];
  readonly figures: { readonly accepted: number; readonly delivered: number; readonly booked: number; readonly inDoubt: number };
};

const WIDTH = 800;
const LEFT = 96;
const RIGHT = 20;
const TOP = 44;
const LANE = 46;
const GAP = 14;
const RISE = 64;
const LINE = 17;
/** The books stand still for this long before it begins again. */
const HOLD_S = 6;
/** A longer run is played faster. */
const PLAY_MAX_S = 15;

const round = (it: number): number => Math.round(it * 10) / 10;
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const grouped = (it: number): string => it.toLocaleString('en');

export function picture(film: Film): string {
  const { frames, told, figures } = film;
  const lastMs = Math.max(1, frames.at(-1)?.atMs ?? 1);
  const x = (atMs: number) => round(LEFT + (Math.min(atMs, lastMs) / lastMs) * (WIDTH - LEFT - RIGHT));
  const names = [...new Set(frames.flatMap(({ underWay }) => Object.keys(underWay)))].sort();
  const most = Math.max(1, ...frames.flatMap(({ underWay }) => Object.values(underWay)));
  const riseTop = TOP + names.length * (LANE + GAP);
  const base = riseTop + RISE;
  const playS = Math.min(PLAY_MAX_S, Math.max(6, lastMs / 1_000));
  const loopS = playS + HOLD_S;
  const percent = (atMs: number) => round((Math.min(atMs, lastMs) / lastMs) * (playS / loopS) * 100);

  const lanes = names.map((name, n) => lane({ name, film, top: TOP + n * (LANE + GAP), x, most, lastMs }));
  const rise = frames.map(({ atMs, decided }) => `${x(atMs)},${round(base - (decided / Math.max(1, figures.accepted)) * RISE)}`);
  const lines = told.map(({ atMs, what }, n) => ({ what, from: percent(atMs), y: base + 24 + n * LINE }));
  const height = base + 24 + told.length * LINE + 34;
  const mono = 'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(summary(film))}" font-family="system-ui,sans-serif" font-size="13">
<style>
${style(
  lines.map(({ from }) => from),
  { loopS, playShare: round((playS / loopS) * 100) },
)}
</style>
<rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text class="ink" x="20" y="26" font-weight="600">Three replicas pay out cash; one is stopped, one is killed</text>
<text class="pale" x="${WIDTH - RIGHT}" y="26" text-anchor="end">a real run, ${(lastMs / 1_000).toFixed(1)} s</text>
${lanes.map(({ label }) => label).join('\n')}
<text class="ink" x="20" y="${base - 26}">decided</text>
<text class="pale" x="20" y="${base - 10}">of ${grouped(figures.accepted)}</text>
<g clip-path="url(#shown)">
${lanes.map(({ drawn }) => drawn).join('\n')}
<path class="rise" d="M${x(0)},${base} L${rise.join(' ')} V${base} Z"/>
</g>
<clipPath id="shown"><rect class="reveal" x="${LEFT}" y="0" width="${WIDTH - LEFT - RIGHT}" height="${height}"/></clipPath>
<path class="axis" d="M${LEFT},${base}.5 H${WIDTH - RIGHT}"/>
<g ${mono} font-size="12">
${lines.map(({ what, y }, n) => `<text class="pale c${n}" x="${LEFT}" y="${y}">${escaped(what)}</text>`).join('\n')}
</g>
<g class="books">
<text class="good" x="${LEFT}" y="${height - 18}" font-weight="600" font-size="15">${escaped(verdict(film))}</text>
</g>
</svg>
`;
}

type Lane = {
  readonly name: string;
  readonly film: Film;
  readonly top: number;
  readonly x: (atMs: number) => number;
  readonly most: number;
  readonly lastMs: number;
};
/** The area of what it had under way, and a band for each time that it was not there. */
function lane({ name, film, top, x, most, lastMs }: Lane): { readonly label: string; readonly drawn: string } {
  const foot = top + LANE;
  const alive = film.frames.map(({ atMs, underWay }) => ({ atMs, open: underWay[name] }));
  const signal = film.told.map(({ what }) => (what.includes(name) ? /SIGTERM|kill -9/.exec(what)?.[0] : undefined)).find(Boolean) ?? 'gone';
  const points = alive.map(({ atMs, open }) => `${x(atMs)},${round(foot - ((open ?? 0) / most) * LANE)}`);
  const bands = gone(alive, lastMs).map(
    ({ fromMs, toMs }) =>
      `<rect class="gone" x="${x(fromMs)}" y="${top}" width="${round(x(toMs) - x(fromMs))}" height="${LANE}"/>` +
      `<text class="bad" x="${round(x(fromMs) + 8)}" y="${top + 27}">✕ ${signal}</text>`,
  );
  const label = `<text class="ink" x="20" y="${top + 22}">${escaped(name)}</text><text class="pale" x="20" y="${top + 38}">under way</text>`;
  return { label, drawn: `<path class="work" d="M${x(0)},${foot} L${points.join(' ')} V${foot} Z"/>${bands.join('')}` };
}

function gone(alive: readonly { readonly atMs: number; readonly open: number | undefined }[], lastMs: number) {
  const bands: { fromMs: number; toMs: number }[] = [];
  for (const [n, { atMs, open }] of alive.entries()) {
    if (open !== undefined) continue;
    const last = bands.at(-1);
    const toMs = alive[n + 1]?.atMs ?? lastMs;
    if (last !== undefined && last.toMs >= atMs) last.toMs = toMs;
    else bands.push({ fromMs: atMs, toMs });
  }
  return bands;
}

const verdict = ({ figures: { delivered, booked, inDoubt } }: Film): string =>
  `paid by the device ${grouped(delivered)} = booked ${grouped(booked)} · in doubt ${grouped(inDoubt)}`;
const summary = (film: Film): string =>
  `A run of npm run demo over time: ${film.told.map(({ what }) => what).join('; ')}. At the end: ${verdict(film)}.`;

/** `from`: when each line appears, in percent of the loop. Whoever asked for less motion sees the end of it. */
function style(from: readonly number[], { loopS, playShare }: { readonly loopS: number; readonly playShare: number }): string {
  const loop = `${round(loopS)}s infinite`;
  return `.card{fill:#fff;stroke:#d0d7de}.ink{fill:#1f2328}.pale{fill:#59636e}.good{fill:#1a7f37}.bad{fill:#cf222e}
.work{fill:#0969da;fill-opacity:.75}.rise{fill:#1a7f37;fill-opacity:.3;stroke:#1a7f37}.gone{fill:#cf222e;fill-opacity:.14}.axis{stroke:#d0d7de;fill:none}
@media (prefers-color-scheme:dark){.card{fill:#0d1117;stroke:#3d444d}.ink{fill:#f0f6fc}.pale{fill:#9198a1}.good{fill:#3fb950}.bad{fill:#f85149}
.work{fill:#4493f8}.rise{fill:#3fb950;stroke:#3fb950}.gone{fill:#f85149;fill-opacity:.22}.axis{stroke:#3d444d}}
@media (prefers-reduced-motion:no-preference){.reveal{transform-origin:${LEFT}px 0;animation:reveal ${loop} linear}.books{animation:books ${loop} step-end}
${from.map((_, n) => `.c${n}{animation:c${n} ${loop} step-end}`).join('')}}
@keyframes reveal{0%{transform:scaleX(0)}${playShare}%,100%{transform:scaleX(1)}}
@keyframes books{0%{opacity:0}${playShare}%,100%{opacity:1}}
${from.map((at, n) => `@keyframes c${n}{0%{opacity:0}${at}%,100%{opacity:1}}`).join('\n')}`;
}
