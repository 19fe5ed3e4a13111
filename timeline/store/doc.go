// Package store keeps the history of one partition of a view: every version of
// every key, on goleveldb, behind goka's storage.Storage. Table records go in
// through Set, during recovery and while running; operators read the state just
// before a stamp, readers ask as of an instant, scan, and walk histories.
//
// It holds bytes and knows no topics. It starts no goroutine and asks no clock.
//
// # Invariants
//
// S1. The offset on disk never exceeds the data on disk: an offset is written in
// the batch that holds, or after the batch that held, every record set before it.
//
// S2. A record is readable from the moment Set returns, flushed or not.
//
// S3. Setting a stamp again replaces what stood there; by construction of the
// pipeline the bytes are the same, so redelivery has no effect.
//
// S4. A scan or history sees one instant of the store: it flushes what is pending
// and reads a LevelDB snapshot.
//
// S5. Pruning up to a horizon h changes no visible row of any read at or after h,
// at any moment of the pruning and after a crash within it. It removes what a newer
// version at or before h covers, and a deletion at or before h that carries no
// operator state. A deletion with state stays: an operator still needs it.
//
// S6. The watermark, like the offset, is written no earlier than the data set
// before it, and never goes back.
//
// S7. A newest version kept in memory is the newest of its key, or it is not kept.
//
// # On disk
//
// Data keys are 'd', the order key, the inverted instant and the inverted number,
// both 8 bytes big endian: a key's versions stand together, newest first, and the
// newest at or before t is one seek. No order key may be a proper prefix of
// another one. Values are table records as they travelled. What the store itself
// remembers stands under keys that begin with 'm'.
//
// Batches are not synced: the table topic is the truth. After the death of the
// process everything flushed is there; a store that the disk damaged is refused
// with ErrCorrupt and rebuilt from the topic once its directory is deleted.
package store
