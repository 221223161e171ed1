/** What an operator is told of a link that fails, without any server: what is a refusal, what may pass, and that no password is repeated. */
import { ReplyError } from 'ioredis';
import { describe, expect, it } from 'vitest';
import * as kafka from '../infra/kafka/refusals.ts';
import * as redis from '../infra/redis/refusals.ts';
import { sentence } from '../src/errors.ts';
import { quiet } from './contract/quiet.ts';

const coded = (code: string, message = 'it failed') => Object.assign(new Error(message), { code });
const link = { url: 'rediss://locus:p%40ss@store:6380/1' };
const access = {
  brokers: ['k1:9093', 'k2:9093'],
  clientId: 'locus',
  log: quiet,
  tls: { ca: undefined },
  sasl: { mechanism: 'PLAIN' as const, username: 'locus', password: 'p@ss' },
};
const ofRedis = (error: unknown) => {
  const fault = redis.refusal(error, link);
  return fault && sentence(fault);
};
const ofKafka = (error: unknown) => {
  const fault = kafka.refusal(error, access);
  return fault && sentence(fault);
};
const sasl = (message: string) => Object.assign(new Error(message), { name: 'KafkaJSSASLAuthenticationError', broker: 'k2:9093' });

describe('a link that is refused', () => {
  it.each([
    ['CERT_HAS_EXPIRED', 'the certificate of Redis at store:6380/1 is CERT_HAS_EXPIRED: renew it, or set the clock of this machine'],
    [
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'TLS is refused by Redis at store:6380/1: it must not ask for a certificate of its clients',
    ],
    ['CERT_SIGNATURE_FAILURE', 'REDIS_SSL_CA is not set, and no CA that Node trusts signed the certificate of Redis at store:6380/1'],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'REDIS_URL is not the name in the certificate of Redis at store:6380/1: use a name that the certificate has',
    ],
  ])('over TLS by %s is told with what to change', (code, told) => expect(ofRedis(coded(code))).toContain(told));

  it.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND'])('is not what %s means: that may pass', (code) => {
    expect(ofRedis(coded(code))).toBeUndefined();
    expect(ofKafka(Object.assign(new Error('Connection error'), { code, name: 'KafkaJSConnectionError' }))).toBeUndefined();
  });

  it('is found at the bottom of what kafkajs wraps', () => {
    const deep = new Error('gave up', { cause: new Error('tried', { cause: sasl('SASL PLAIN authentication failed: Invalid username') }) });
    expect(ofKafka(deep)).toBe(
      'KAFKA_SASL_PASSWORD is refused by the Kafka broker at k2:9093 for user locus (PLAIN): write the password that this user has there, or see to KAFKA_SASL_USERNAME',
    );
  });
  it('is told apart from a connection that went while the password was judged', () => {
    expect(ofKafka(sasl('SASL PLAIN authentication failed: Closed connection'))).toBeUndefined();
    expect(ofKafka(sasl('SASL SCRAM SHA256 authentication failed: Request SaslAuthenticate timed out'))).toBeUndefined();
  });
  it('for its mechanism names the mechanism', () => {
    const told = ofKafka(Object.assign(new Error('The broker does not support it'), { type: 'UNSUPPORTED_SASL_MECHANISM' }));
    expect(told).toMatch(/^KAFKA_SASL_MECHANISM is PLAIN, which the Kafka broker at k1:9093 or k2:9093 does not offer/);
  });
  it('for want of a password says how to write it', () => {
    expect(ofRedis(new ReplyError('NOAUTH Authentication required.'))).toBe(
      'REDIS_URL is without a password, which Redis at store:6380/1 asks for: write it as redis://user:password@host:port',
    );
  });
});

it('a server that repeats what it was sent does not make us repeat the password', () => {
  const echo = new ReplyError("ERR unknown command 'AUTH', with args beginning with: 'locus' 'p@ss'");
  expect(redis.told(echo, link)).toBe("ERR unknown command 'AUTH', with args beginning with: 'locus' '(hidden)'");
  expect(JSON.stringify(redis.failure(echo, link).cause, ['message', 'stack'])).not.toContain('p@ss');
});
