package feed

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/wire"
)

func TestFrameRoundTrip(t *testing.T) {
	bytesOf := rapid.SliceOfN(rapid.Byte(), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		want := Frame{
			Kind:  FrameKind(rapid.IntRange(int(DataFrame), int(DeadFrame)).Draw(t, "kind")),
			Input: rapid.IntRange(0, 65535).Draw(t, "input"),
			Stamp: timeline.Stamp{
				At: timeline.Time(rapid.Int64().Draw(t, "at")), N: rapid.Uint64().Draw(t, "n"),
			},
			Key: bytesOf.Draw(t, "key"), Row: bytesOf.Draw(t, "row"),
		}
		op := uint8(rapid.IntRange(0, 3).Draw(t, "op"))
		if want.Kind == WatermarkFrame {
			want.Quality = timeline.Quality(op)
		} else {
			want.Op = wire.Op(op)
		}
		b := appendFrame(nil, want.Kind, op, want.Input, want.Key, want.Row)
		stampFrame(b, want.Stamp)
		if got := frameKey(b); !bytes.Equal(got, want.Key) || cap(got) != len(got) {
			t.Fatalf("key %x of capacity %d, want %x", got, cap(got), want.Key)
		}
		got, err := ParseFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Row, want.Row) {
			t.Fatalf("key %x, row %x, want %x, %x", got.Key, got.Row, want.Key, want.Row)
		}
		got.Key, got.Row, want.Key, want.Row = nil, nil, nil, nil
		if got.Kind != want.Kind || got.Op != want.Op || got.Quality != want.Quality ||
			got.Input != want.Input || got.Stamp != want.Stamp {
			t.Fatalf("%+v came back as %+v", want, got)
		}
	})
}

func TestFrameRefusesWhatIsCutOff(t *testing.T) {
	b := appendFrame(nil, DataFrame, 0, 1, []byte("key"), nil)
	for n := range b {
		if f, err := ParseFrame(b[:n]); err == nil {
			t.Errorf("%d of %d bytes are read as %+v", n, len(b), f)
		}
	}
	for i := 20; i < frameHeader; i++ { // the key's length
		bad := bytes.Clone(b)
		bad[i] = 0xFF
		if f, err := ParseFrame(bad); err == nil {
			t.Errorf("a key that does not fit is read as %+v", f)
		}
	}
}
