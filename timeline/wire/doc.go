// Package wire defines the bytes of every record that Tideline writes to Kafka: the
// versions in table topics, the changes in exchanges, watermarks, clock entries and
// dead letters, and the reserved record keys. Processors write these records and read
// them back from exchanges, the store keeps versions as they are, replicas read them
// from table topics. Rows inside are timeline/row's encoding, opaque here.
//
// A record is a version byte (0x01), a kind byte, the event time in 8 bytes big endian
// microseconds, then what its kind asks for; variable-length numbers are
// encoding/binary's. Dead letters are JSON instead, since people read them.
//
//  1. Encoding is a function of the fields alone, and the decoders accept only bytes
//     that the encoders write: equal records have equal bytes and the other way round.
//  2. Decoded slices share the input's memory; decoding a version or a change does not
//     allocate. Whoever keeps a slice keeps the whole record.
//  3. No bytes make a decoder panic.
//  4. Reserved record keys begin with the byte 0xFF, which no UTF-8 text contains, so
//     they are never a row's key.
//  5. The bytes are frozen: testdata/golden.txt holds each kind's, and a change needs a
//     new version byte.
package wire
