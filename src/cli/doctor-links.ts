/** The links of `locus doctor`: does the name stand for an address, does somebody listen there, and is it, over TLS, who it should be. */
import { isIP } from 'node:net';
import { sentence, type TlsEnd, tlsFault, why } from '../errors.ts';
import { type Finding, ok, wrong } from './findings.ts';
import { duration } from './print.ts';
import { type Certificate, type Place, placeIn } from './reach.ts';

export type LinkInstruments = {
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** How long it took, ms. */
  readonly connect: (place: Place) => Promise<number>;
  /** What the listener shows; rejects with what the handshake failed of. `ca`: the only ones that are trusted, in PEM. */
  readonly handshake: (place: Place, ca: string | undefined) => Promise<Certificate>;
};
/** `address`: the variable that it stands in · `tls` where it should be spoken: the variable of the CAs, and those that are trusted. */
export type Listener = Place & Pick<TlsEnd, 'address'> & { readonly tls?: Pick<TlsEnd, 'ca'> & { readonly trusted: string | undefined } };

const PORTS = { 'redis:': 6379, 'rediss:': 6379, 'http:': 80, 'https:': 443 };
export const nameOf = ({ host, port }: Place): string => `${host}:${port}`;

/** The listener of a URL, whose scheme says whether it speaks TLS. */
export function listenerIn(url: string, address: string, tls: NonNullable<Listener['tls']>): Listener {
  const listener = { ...placeIn(url, PORTS), address };
  return /^(rediss|https):/.test(url) ? { ...listener, tls } : listener;
}
/** Where a URL leads, as host:port. */
export const targetOf = (url: string): string => nameOf(placeIn(url, PORTS));

/** Names, then listeners, then certificates; what lies behind is asked as soon as one of them is as it should be. */
export async function reached(
  listeners: readonly Listener[],
  by: LinkInstruments,
  beyond: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const each = await Promise.all(listeners.map((listener) => looked(listener, by)));
  const findings = each.flat();
  const isOpen = each.some((those) => those.every(({ state }) => state === 'ok'));
  return isOpen ? [...findings, ...(await beyond())] : findings;
}

/** Ends at the first that is wrong. */
export async function looked(listener: Listener, by: LinkInstruments): Promise<readonly Finding[]> {
  const { host, address, tls } = listener;
  const target = nameOf(listener);
  const found: Finding[] = [];
  try {
    const addresses = await by.resolve(host);
    if (isIP(host) === 0) found.push(ok('dns', host, addresses.join(', ')));
  } catch (error) {
    return [wrong('dns', host, `${why(error)}: write a name that this machine can resolve, or mend its resolver (${address})`)];
  }
  try {
    found.push(ok('tcp', target, `open, ${duration(await by.connect(listener))}`));
  } catch (error) {
    return [...found, wrong('tcp', target, `${why(error)}: see that it runs, listens there, and that no firewall is between (${address})`)];
  }
  return tls === undefined ? found : [...found, await shown(listener, tls, by)];
}

async function shown(listener: Listener, tls: NonNullable<Listener['tls']>, by: LinkInstruments): Promise<Finding> {
  const target = nameOf(listener);
  const { address } = listener;
  try {
    const { subject, issuer, until } = await by.handshake(listener, tls.trusted);
    return ok('tls', target, `${subject}, by ${issuer}, good until ${until}`);
  } catch (error) {
    const met = error instanceof Error ? error : new Error(String(error));
    const fault = tlsFault(met, { server: target, address, ca: tls.ca, hasCa: tls.trusted !== undefined });
    const words = fault === undefined ? `${why(error)}: what listens there may not speak TLS: see ${address}` : sentence(fault);
    return wrong('tls', target, words);
  }
}
