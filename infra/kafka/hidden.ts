/** What kafkajs exports where ECMAScript named imports cannot see it: its module is CommonJS and put together at run time. */
import kafkajs from 'kafkajs';

export const { ConfigResourceTypes, KafkaJSError, KafkaJSNonRetriableError } = kafkajs;
