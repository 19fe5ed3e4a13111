// Package row is what a row is made of: columns, types and values, and the encodings
// in which rows and keys travel. Format decoders make rows out of foreign records,
// operators compute on them, the store keeps their bytes, views and Arrow show them;
// all agree through this package. It does no I/O and knows no Kafka.
//
// There are four encodings. AppendRow is compact and self-describing, for records and
// stores. AppendKey is ordered, for the store. KeyText is the Kafka record key, which
// people and other programs read and write. AppendJSON is for people and services.
//
//  1. A null is a nil Value; every other value is of the Go type listed beside its
//     Kind. No reader of this package yields anything else. Values are immutable:
//     rows share them.
//  2. A value of a column has one form: decimals stand at the column's scale
//     (FitDecimal), there is one zero and one NaN among doubles, JSON is compact. So
//     rows of one schema are Equal value by value exactly when their bytes are equal,
//     and the decoders refuse all bytes that the encoders do not write.
//  3. For keys of one schema, bytes.Compare(AppendKey(a), AppendKey(b)) has the sign of
//     comparing a and b column by column with Compare, and the key of the first
//     columns is a byte prefix of the key of all.
//  4. ParseKeyText(types, KeyText(vals)) returns vals, for keys without null, of times
//     and dates within the years 0 to 9999.
//  5. No bytes and no text make a function panic. Only a value of a foreign Go type
//     does: a defect in the calling code.
//  6. The bytes are frozen by golden tests: they are in topics and on disks.
package row
