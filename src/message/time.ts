/** RFC 3339 timestamps, as CloudEvents and deadlines carry them. */

const SHAPE = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** Ms since the epoch, or undefined for what is no RFC 3339 date-time. Date.parse alone takes `2024` and rolls the 30th of February over. */
export function parseTime(text: string): number | undefined {
  const upper = text.toUpperCase();
  const found = SHAPE.exec(upper);
  if (!found) return undefined;
  const daysInMonth = new Date(Date.UTC(Number(found[1]), Number(found[2]), 0)).getUTCDate();
  const ms = Date.parse(upper);
  return Number.isNaN(ms) || Number(found[3]) > daysInMonth ? undefined : ms;
}
