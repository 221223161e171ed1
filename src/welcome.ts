/** For a person who started it with nothing configured: where it is and two lines to try. */
export function welcome(at: { readonly http: string; readonly admin: string; readonly device: string; readonly dataDir: string }): string {
  const curl = (key: string, command: string, input: string) =>
    `  curl -d '${input}' -H 'content-type: application/json' -H 'idempotency-key: ${key}' ${at.http}/v1/cash-location/ATM-1/${command}`;
  const load = curl('load-1', 'load', '{"currency":"USD","cassettes":[{"denomination":2000,"count":100}]}');
  const dispense = curl('dispense-1', 'dispense', '{"amount":6000,"currency":"USD"}');
  return `
Locus runs embedded: everything it knows is in ${at.dataDir}.

  commands and state  ${at.http}
  inspection          ${at.admin}/admin/locations
  device gateway      ${at.device}

Load a cash machine with 100 notes of $20, then have it pay $60:

${load}

${dispense}

The same line again gets the same answer, and no cash moves: a command is known by its key.

`;
}
