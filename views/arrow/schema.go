package arrow

import (
	"encoding/json"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// Keys of the schema metadata that describe an export. In Parquet they are the
// file's key-value metadata.
const (
	KeyView            = "tideline.view"             // name of the view
	KeyAsOf            = "tideline.as_of"            // instant the rows are true for, RFC 3339
	KeyWatermark       = "tideline.watermark"        // the view's watermark, RFC 3339
	KeyQuality         = "tideline.quality"          // what the watermark rests on
	KeyPipeline        = "tideline.pipeline"         // name of the pipeline
	KeyPipelineVersion = "tideline.pipeline_version" // version of its definition
	KeyKey             = "tideline.key"              // JSON array of the key columns' names
)

// KeyType is the key of the field metadata that holds the column's type as the
// pipeline file spells it, such as "decimal(12,2)" or "json".
const KeyType = "tideline.type"

// Limits of Arrow's decimals, in digits.
const (
	maxDigits128 = 38
	maxDigits256 = 76
)

// looseScale is the scale of a decimal column that declares no precision.
const looseScale = 10

// Meta describes the export as a whole.
type Meta struct {
	View            string           // name of the view
	AsOf            timeline.Time    // instant the rows are true for
	Watermark       timeline.Time    // the view's watermark when it was read
	Pipeline        string           // name of the pipeline
	PipelineVersion string           // version of its definition
	Quality         timeline.Quality // what the watermark rests on
}

// Schema returns the Arrow schema of a view's rows, with m and the key in its
// metadata. Key columns are not nullable, all others are. The types:
//
//	bigint        int64
//	double        float64
//	decimal(p,s)  decimal128(p,s); decimal256(p,s) above 38 digits
//	decimal       decimal128(38,10)
//	text          utf8
//	boolean       bool
//	timestamp     timestamp[us, UTC]
//	date          date32
//	bytes         binary
//	json          utf8, told apart by the field metadata under KeyType
func Schema(s row.Schema, m Meta) *arrow.Schema {
	inKey := make([]bool, len(s.Columns))
	names := make([]string, 0, len(s.Key))
	for _, i := range s.Key {
		inKey[i] = true
		names = append(names, s.Columns[i].Name)
	}
	fields := make([]arrow.Field, len(s.Columns))
	for i, c := range s.Columns {
		fields[i] = arrow.Field{
			Name:     c.Name,
			Type:     dataType(c.Type),
			Nullable: !inKey[i],
			Metadata: arrow.NewMetadata([]string{KeyType}, []string{c.Type.String()}),
		}
	}
	key, _ := json.Marshal(names) // a slice of strings cannot fail
	meta := arrow.NewMetadata(
		[]string{KeyView, KeyAsOf, KeyWatermark, KeyQuality,
			KeyPipeline, KeyPipelineVersion, KeyKey},
		[]string{m.View, m.AsOf.String(), m.Watermark.String(), m.Quality.String(),
			m.Pipeline, m.PipelineVersion, string(key)})
	return arrow.NewSchema(fields, &meta)
}

// dataType maps a column type to its Arrow type; null for an invalid one, which
// newColumn refuses.
func dataType(t row.Type) arrow.DataType {
	switch t.Kind {
	case row.Bigint:
		return arrow.PrimitiveTypes.Int64
	case row.Double:
		return arrow.PrimitiveTypes.Float64
	case row.Decimal:
		digits, scale := decimalShape(t)
		if digits > maxDigits128 {
			return &arrow.Decimal256Type{Precision: int32(digits), Scale: int32(scale)}
		}
		return &arrow.Decimal128Type{Precision: int32(digits), Scale: int32(scale)}
	case row.Text, row.JSON:
		return arrow.BinaryTypes.String
	case row.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case row.Timestamp:
		return arrow.FixedWidthTypes.Timestamp_us // its zone is UTC
	case row.Date:
		return arrow.FixedWidthTypes.Date32
	case row.Bytes:
		return arrow.BinaryTypes.Binary
	}
	return arrow.Null
}

// decimalShape returns the digits and scale of a decimal column. A column without
// a precision gets the widest decimal that every reader understands.
func decimalShape(t row.Type) (digits, scale int) {
	if t.Precision == 0 {
		return maxDigits128, looseScale
	}
	return t.Precision, t.Scale
}
