/** A replica that does nothing but read commands, as a process of its own that a test may kill: told in one argument, tells one JSON a line. */
import { kafkaCommandLog } from '../../infra/kafka/consumer.ts';
import { systemClock } from '../../src/clock.ts';
import { quiet } from './quiet.ts';
import { commitAll, recordingReader } from './recording-reader.ts';

type Told = {
  readonly brokers: string[];
  readonly groupId: string;
  readonly replicaId: string;
  readonly topic: string;
  readonly sessionTimeoutMs: number;
  readonly before: number[];
};
const { topic, ...told } = JSON.parse(process.argv[2] ?? '{}') as Told;
const tell = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);

const reader = recordingReader();
const log = kafkaCommandLog({
  ...told,
  clientId: told.replicaId,
  topics: [topic],
  log: quiet,
  clock: systemClock,
  mayJoin: async () => true,
  onFatal: (fatal) => tell({ fatal }),
});
reader.beforeSharing = () => commitAll(log, reader);
await log.start({
  ...reader,
  begin(at, bounds) {
    tell({ begun: at.partition, committed: bounds.committed });
    return reader.begin(at, bounds);
  },
  assigned: (partitions) => tell({ assigned: partitions }),
  take(record) {
    const taken = reader.take(record);
    tell({ partition: record.partition, offset: record.offset });
    void commitAll(log, reader).catch(() => {});
    return taken;
  },
});
