// Package civil turns calendar text into numbers and back: dates to days since
// 1970-01-01, RFC 3339 times to microseconds since that midnight, UTC.
//
// It stands below timeline and timeline/row, which both read and write such text
// for every record, and knows only the proleptic Gregorian calendar. The standard
// library does the same several times slower and accepts forms that must be
// refused here.
//
//  1. What AppendDate and AppendTime (six digits) write for years 0 to 9999 the
//     parsers read back to the same number. Other years are written with a sign
//     and are not read.
//  2. No function panics or allocates beyond growing dst.
package civil
