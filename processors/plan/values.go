package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
)

// rowType returns the column type that holds the results of a SQL type.
func rowType(t sql.Type) (row.Type, error) {
	switch {
	case t == types.Null:
		return row.Type{}, errors.New("the expression is always null and has no type; " +
			"write CAST(NULL AS CHAR) or another type")
	case types.IsBoolean(t):
		return row.Type{Kind: row.Boolean}, nil
	case types.IsInteger(t), types.IsYear(t), types.IsBit(t):
		return row.Type{Kind: row.Bigint}, nil
	case types.IsFloat(t):
		return row.Type{Kind: row.Double}, nil
	case types.IsDecimal(t):
		d := t.(sql.DecimalType)
		return row.Type{Kind: row.Decimal, Precision: int(d.Precision()), Scale: int(d.Scale())}, nil
	case types.IsJSON(t):
		return row.Type{Kind: row.JSON}, nil
	case types.IsBinaryType(t):
		return row.Type{Kind: row.Bytes}, nil
	case types.IsDateType(t):
		return row.Type{Kind: row.Date}, nil
	case types.IsDatetimeType(t), types.IsTimestampType(t):
		return row.Type{Kind: row.Timestamp}, nil
	case types.IsText(t):
		return row.Type{Kind: row.Text}, nil
	}
	return row.Type{}, fmt.Errorf("the expression has type %s, which no column can hold; "+
		"CAST it to CHAR or another type", t)
}

// toSQL returns the conversion of a column's values to the engine's, or nil if they
// are the same.
func toSQL(t row.Type) func(row.Value) any {
	switch t.Kind {
	case row.Boolean:
		return func(v row.Value) any {
			if v.(bool) {
				return int8(1)
			}
			return int8(0)
		}
	case row.Timestamp:
		return func(v row.Value) any { return v.(timeline.Time).Time() }
	case row.Date:
		return func(v row.Value) any { return time.Unix(int64(v.(row.Days))*86400, 0).UTC() }
	case row.JSON:
		return func(v row.Value) any { return types.JSONDocument{Val: document(v.(row.Document))} }
	}
	return nil
}

// document parses JSON. Numbers are float64, as the engine's functions expect, except
// whole ones that a float64 cannot hold.
func document(d row.Document) any {
	dec := json.NewDecoder(bytes.NewReader([]byte(d)))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil // a Document is valid JSON by construction
	}
	return numbers(v)
}

// maxExact is the greatest number up to which a float64 holds every whole number.
const maxExact = 1 << 53

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		if i, err := v.Int64(); err == nil && (i > maxExact || i < -maxExact) {
			return i
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// fromSQL converts a result of the engine, declared to be of type st, to a value of
// type t. What does not fit is an error, never a guess.
func fromSQL(ctx *sql.Context, st sql.Type, t row.Type, v any) (row.Value, error) {
	v, err := sql.UnwrapAny(ctx, v)
	if v == nil || err != nil {
		return nil, err
	}
	if out, ok, err := exact(ctx, t, v); ok || err != nil {
		return out, err
	}
	conv, _, err := st.Convert(ctx, v)
	if err == nil {
		if out, ok, err := exact(ctx, t, conv); ok || err != nil {
			return out, err
		}
		err = fmt.Errorf("it is a %T", v)
	}
	return nil, fmt.Errorf("converting %v to %s: %w", v, t, err)
}

// exact converts values that need no conversion by the engine. ok is false if there
// is none for the value.
func exact(ctx *sql.Context, t row.Type, v any) (out row.Value, ok bool, err error) {
	switch t.Kind {
	case row.Boolean:
		if i, ok := toInt64(v); ok {
			return i != 0, true, nil
		}
	case row.Bigint:
		if i, ok := toInt64(v); ok {
			return i, true, nil
		}
		if u, ok := v.(uint64); ok {
			return nil, false, fmt.Errorf("%d is out of range for bigint; CAST it to DECIMAL(20)", u)
		}
	case row.Double:
		if f, ok := v.(float64); ok {
			if math.IsInf(f, 0) || math.IsNaN(f) {
				return nil, false, fmt.Errorf("%v is out of range for double", f)
			}
			return f, true, nil
		}
	case row.Decimal:
		if d, ok := v.(decimal.Decimal); ok {
			d, err := row.FitDecimal(t, d.Round(int32(t.Scale)))
			return d, err == nil, err
		}
	case row.Text:
		return exactText(v)
	case row.Bytes:
		switch b := v.(type) {
		case []byte:
			return append([]byte(nil), b...), true, nil
		case string:
			return []byte(b), true, nil
		}
	case row.Timestamp:
		if at, ok := v.(time.Time); ok {
			return timeline.FromTime(at), true, nil
		}
	case row.Date:
		if at, ok := v.(time.Time); ok {
			if at.Unix()%86400 != 0 || at.Nanosecond() != 0 {
				return nil, false, fmt.Errorf("%v is no date; CAST it to DATE or DATETIME", at)
			}
			return row.Days(at.Unix() / 86400), true, nil
		}
	case row.JSON:
		return exactJSON(ctx, v)
	}
	return nil, false, nil
}

func exactText(v any) (row.Value, bool, error) {
	s, ok := v.(string)
	if b, isBytes := v.([]byte); isBytes {
		s, ok = string(b), true
	}
	if ok && !utf8.ValidString(s) {
		return nil, false, fmt.Errorf("%q is not valid UTF-8; CAST it to BINARY", s)
	}
	return s, ok, nil
}

func exactJSON(_ *sql.Context, v any) (row.Value, bool, error) {
	w, ok := v.(sql.JSONWrapper)
	if !ok {
		return nil, false, nil
	}
	val, err := w.ToInterface()
	if err != nil {
		return nil, false, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain(val)); err != nil {
		return nil, false, err
	}
	return row.Document(bytes.TrimRight(b.Bytes(), "\n")), true, nil
}

// plain gives decimals and times inside a JSON value the form MySQL gives them.
func plain(v any) any {
	switch v := v.(type) {
	case decimal.Decimal:
		return json.Number(v.StringFixed(max(-v.Exponent(), 0)))
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.000000")
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	}
	return v
}
