/** Which partition a key belongs to: Kafka's murmur2, as the Java client and kafkajs place keys. */

/** murmur2 over bytes, seed 0x9747b28c, as in org.apache.kafka.common.utils.Utils; a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ length;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = (data[i] as number) | ((data[i + 1] as number) << 8) | ((data[i + 2] as number) << 16) | ((data[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const left = length - whole;
  if (left === 3) h ^= (data[whole + 2] as number) << 16;
  if (left >= 2) h ^= (data[whole + 1] as number) << 8;
  if (left >= 1) h = Math.imul(h ^ (data[whole] as number), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

export const partitionOf = (key: string | Uint8Array, count: number): number =>
  (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % count;
