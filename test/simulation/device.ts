/** The dispenser of a simulated world: the shipping device and the client's shipping rules on virtual time, with all that a device does badly. */
import { type Device, honest, type Switches, startDevice } from '../../infra/device/device.ts';
import { type GatewayHandlers, gatewayRules, type Post } from '../../infra/device/gateway-rules.ts';
import type { Line } from '../../infra/device/journal.ts';
import type { Clock, Log, Random } from '../../src/ports.ts';

/** The switches of infra/device; `lostReplyRate` holds for probes as well. */
export type DeviceFaults = Switches & {
  /** Share of all requests, 0 to 1, that never arrive; nobody says so, the caller waits for its own time-out. */
  readonly lostRequestRate: number;
  /** What arrives waits, and takes effect when this is taken back, whoever is still there to hear of it. */
  readonly silent: boolean;
  /** Share of the dispenses in which one note more is moved than was ordered: such evidence fits no books. */
  readonly oddRate: number;
};
export const soundDevice: DeviceFaults = { ...honest, lostRequestRate: 0, silent: false, oddRate: 0 };

export type SimulatedDevice = {
  /** All that it ever did with cash, oldest first. */
  readonly lines: readonly Line[];
  readonly faults: DeviceFaults;
  /** Changes some, from the next request on. */
  setFault(some: Partial<DeviceFaults>): void;
  /** Forgets every commandId, not its fences, and takes another identity. */
  forget(): Promise<void>;
  /** Its process is killed and begins again over its journal: what was asked and has not taken effect never will, what has is answered to nobody. */
  restart(): Promise<void>;
  /** How one replica asks it. The device acts by its own clock, so also for a caller that died; answers reach the caller by the caller's clock. */
  post(caller: Clock): Post;
  /** The effect handlers of that replica. */
  handlers(replica: { readonly clock: Clock; readonly log: Log }): GatewayHandlers;
};

/** `heard` is told each line at the moment it takes effect. */
export async function simulatedDevice(it: {
  readonly clock: Clock;
  readonly random: Random;
  readonly heard?: (line: Line) => void;
}): Promise<SimulatedDevice> {
  const { clock, random, heard } = it;
  const lines: Line[] = [];
  let faults = soundDevice;
  let life = 0;
  let device = await begin();
  let released: Promise<void> = Promise.resolve();
  let release = () => {};

  function begin(): Promise<Device> {
    const append = async (line: Line) => {
      lines.push(line);
      heard?.(line);
    };
    const journal = { before: [...lines], append, close: async () => {} };
    return startDevice({ journal, random, now: () => clock.now(), switches: () => faults });
  }
  const pass = (ms: number) => (ms > 0 ? new Promise<void>((done) => clock.after(ms, done)) : undefined);

  async function exchange(address: string, verb: 'dispense' | 'probe', request: Parameters<Post>[2]): ReturnType<Post> {
    const { latencyMinMs, latencyMaxMs, lostRequestRate, lostReplyRate } = faults;
    const [isLost, isCut] = [random.next() < lostRequestRate, random.next() < lostReplyRate];
    const halfMs = verb === 'probe' ? 0 : (latencyMinMs + random.next() * (latencyMaxMs - latencyMinMs)) / 2;
    if (isLost) return new Promise<never>(() => {});
    const asked = life;
    const stillThere = () => {
      if (life !== asked) throw new Error('the device began again');
    };
    if (faults.silent) await released;
    await pass(halfMs);
    stillThere();
    const { commandId, currency = '', fence } = request;
    const notes = random.next() < faults.oddRate ? oneMore(request.notes ?? {}) : (request.notes ?? {});
    const location = address.slice(address.indexOf('/') + 1);
    const reply =
      verb === 'dispense'
        ? await device.dispense(location, { commandId: commandId ?? '', currency, notes }, fence)
        : await device.probe(location, commandId, fence);
    await pass(halfMs);
    stillThere();
    if (isCut) throw new Error('the connection to the device was cut');
    return reply;
  }

  const post =
    (caller: Clock): Post =>
    (address, verb, request, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const given = () => reject(signal.reason);
        signal.addEventListener('abort', given, { once: true });
        const heard = (answer: () => void) =>
          caller.soon(() => {
            signal.removeEventListener('abort', given);
            answer();
          });
        // Sent and heard in events of their own: what the caller does next must not run in the device's, nor the other way about.
        clock.soon(() => {
          exchange(address, verb, request).then(
            (reply) => heard(() => resolve(reply)),
            (error: unknown) => heard(() => reject(error)),
          );
        });
      });

  return {
    lines,
    get faults() {
      return faults;
    },
    setFault(some) {
      const wasSilent = faults.silent;
      faults = { ...faults, ...some };
      if (wasSilent && !faults.silent) release();
      if (!wasSilent && faults.silent)
        released = new Promise((resolve) => {
          release = () => clock.soon(resolve);
        });
    },
    forget: () => device.forget(),
    async restart() {
      life += 1;
      device = await begin();
    },
    post,
    handlers: (replica) => gatewayRules({ log: replica.log, post: post(replica.clock) }),
  };
}

const oneMore = (notes: Readonly<Record<string, number>>): Record<string, number> => {
  const [denomination = '2000'] = Object.keys(notes);
  return { ...notes, [denomination]: (notes[denomination] ?? 0) + 1 };
};
