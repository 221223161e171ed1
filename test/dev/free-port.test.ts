import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../infra/dev/free-port.ts';

test('many who ask at once get ports of their own, none of which outgoing connections use', async () => {
  const ports = await Promise.all(Array.from({ length: 500 }, freePort));
  expect(new Set(ports).size).toBe(ports.length);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test('a server can listen on the port at once', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  await new Promise((resolve) => server.close(resolve));
});
