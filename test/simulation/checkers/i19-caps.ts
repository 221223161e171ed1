/** I19: residents, what waits in memory and what is in flight stay under their caps at every replica. */
import { type MakeChecker, Violation } from '../happening.ts';

const NAME = 'I19';
const LANES = 2;

export const capsHold: MakeChecker = ({ limits: { residentMax, inflightMax, mailboxMax } }) => ({
  name: NAME,
  hear(it) {
    if (it.kind !== 'sized') return;
    const { who, residents, mailbox, inflight } = it;
    // A walk of the index and a command may each take the last place.
    if (residents > residentMax) throw new Violation(NAME, `${who} has ${residents} locations in memory: at most ${residentMax}`);
    if (inflight > inflightMax * LANES)
      throw new Violation(NAME, `${who} has ${inflight} records in flight: at most ${inflightMax} a lane`);
    const most = Math.min(inflightMax * LANES, Math.max(1, residents) * mailboxMax * LANES);
    if (mailbox > most) throw new Violation(NAME, `${who} has ${mailbox} commands in memory: at most ${most}`);
  },
});
