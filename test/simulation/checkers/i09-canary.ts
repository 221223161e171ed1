/** I9: the canary holds: it never falls, and no offset is committed above it. */
import { type MakeChecker, Violation } from '../happening.ts';

const NAME = 'I9';

export const canaryHolds: MakeChecker = ({ disk }) => {
  const highest = new Map<string, number>();
  const nameOf = (group: string, topic: string, partition: number) => JSON.stringify([group, topic, partition]);
  let group = '';
  return {
    name: NAME,
    hear(it) {
      if (it.kind === 'applied') {
        group = it.key.group;
        const name = nameOf(group, it.key.topic, it.key.partition);
        const stands = disk.applied.get(name)?.offset ?? 0;
        const had = highest.get(name) ?? 0;
        if (stands < had && !it.accepted) throw new Violation(NAME, `${name} fell from ${had} to ${stands} by ${it.who}`);
        highest.set(name, stands);
      }
      if (it.kind === 'offset-committed') {
        const { topic, partition } = it.at;
        const stands = disk.applied.get(nameOf(group, topic, partition))?.offset ?? 0;
        if (it.offset > stands)
          throw new Violation(
            NAME,
            `${it.who} committed ${topic}/${partition} up to ${it.offset}, the store has it applied up to ${stands}`,
          );
      }
    },
  };
};
