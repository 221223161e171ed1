import { inject } from 'vitest';
import { kafkaLogWorld } from './kafka-world.ts';
import { logSuite, PARTITIONS } from './log-suite.ts';

logSuite('the log in Kafka', () => kafkaLogWorld(inject('brokers').split(','), PARTITIONS));
