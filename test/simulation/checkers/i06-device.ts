/** I6: the device delivers at most once per key, never after it promised not to, and obeys only fences at least as high as it has seen. */
import type { Line } from '../../../infra/device/journal.ts';
import { type MakeChecker, Violation } from '../happening.ts';
import { above, type Fence, show } from './facts.ts';

const NAME = 'I6';
const UNFENCED = 0;

export const deviceDeliversOnce: MakeChecker = () => {
  const delivered = new Map<string, string>();
  const promised = new Set<string>();
  const fences = new Map<string, Fence>();
  const hear = (line: Line): void => {
    if (line.kind === 'created' || line.kind === 'amnesia') return;
    const highest = fences.get(line.location);
    if (line.fence.epoch !== UNFENCED && highest !== undefined && above(highest, line.fence))
      throw new Violation(NAME, `the device of ${line.location} has obeyed ${show(highest)}, then ${show(line.fence)}: ${show(line)}`);
    if (highest === undefined || above(line.fence, highest)) fences.set(line.location, line.fence);
    if (line.kind === 'fence') return;
    const key = `${line.location} ${line.commandId}`;
    if (line.kind === 'void') promised.add(key);
    if (line.kind !== 'moved' || !hasMoved(line)) return;
    const before = delivered.get(key);
    if (before !== undefined) throw new Violation(NAME, `${key} was delivered twice: ${before}, then ${show(line)}`);
    if (promised.has(key)) throw new Violation(NAME, `${key} was delivered after the promise that it never is: ${show(line)}`);
    delivered.set(key, show(line));
  };
  return { name: NAME, hear: (it) => it.kind === 'device' && hear(it.line) };
};

const hasMoved = ({ notes, retracted, rejected }: Extract<Line, { readonly kind: 'moved' }>): boolean =>
  [notes, retracted, rejected].some((part) => Object.values(part).some((count) => count > 0));
