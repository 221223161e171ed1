/** kafkajs's error classes. The package spreads them into its exports, where ECMAScript named imports cannot see them. */
import kafkajs from 'kafkajs';

export const { KafkaJSError, KafkaJSNonRetriableError } = kafkajs;
