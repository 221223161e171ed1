/** Sends bytes over a bare connection and reads until the server hangs up: what no HTTP client would send. */
import { connect } from 'node:net';

type Heard = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };

export const spoken = (url: string, bytes: string): Promise<Heard> =>
  new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    socket
      .setEncoding('utf8')
      .on('data', (text) => {
        heard += text;
      })
      .on('error', reject)
      .on('close', () => {
        const [head = '', body = ''] = heard.split('\r\n\r\n');
        const [first = '', ...lines] = head.split('\r\n');
        const headers = Object.fromEntries(lines.map((line) => line.split(': ')));
        resolve({ status: Number(first.split(' ')[1]), headers, body });
      });
  });
