// Package kafka is the log's client side that processors, views and emitters share:
// how a connection is made, which partition a key belongs to, how records are written
// (idempotent, acks from all replicas) and how table topics are read back.
//
// It stands between the pure core (packages timeline, align, store, wire) and the
// network. goka asks for its Kafka through builders; the types here answer them on
// franz-go, so that one client library, one partitioner and one set of delivery
// guarantees serve every stage and every view:
//
//   - [Producer] is goka's producer: order per partition is kept across retries and a
//     write is acknowledged only when all in-sync replicas have it;
//   - [Tables] is the sarama.Consumer from which goka recovers a table and follows it;
//   - [Topics] is goka's topic manager: creates internal topics with settings that
//     cannot lose history, counts partitions, looks up offsets;
//   - [NewHasher] is Kafka's murmur2, masked to 31 bits (goka's own choice differs from
//     Java's, and negates the least int32).
package kafka
