package views_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tideline/tideline/timeline"
	"github.com/tideline/tideline/timeline/row"
	"github.com/tideline/tideline/views"
)

func TestGet(t *testing.T) {
	w := newTable(t, bills(0))
	one, two := key(t, "north", 1), key(t, "south", 2)
	w.put(10*sec, one, bill("north", 1, "5.00"))
	w.put(20*sec, one, bill("north", 1, "6.00"))
	w.put(20*sec, one, bill("north", 1, "7.00")) // the last of the instant counts
	w.put(30*sec, one, nil)
	w.put(15*sec, two, bill("south", 2, ""))
	w.put(60*sec, two, bill("south", 2, "9.00")) // not final yet
	w.watermark(40*sec, timeline.Exact)
	w.watermark(50*sec, timeline.Estimated, 1)
	v := w.open()
	for _, test := range []struct {
		key  string
		opts []views.Option
		want row.Row
		asOf timeline.Time
	}{
		{one, []views.Option{views.AsOf(10*sec - 1)}, nil, 10*sec - 1},
		{one, []views.Option{views.AsOf(10 * sec)}, bill("north", 1, "5.00"), 10 * sec},
		{one, []views.Option{views.AsOf(20*sec - 1)}, bill("north", 1, "5.00"), 20*sec - 1},
		{one, []views.Option{views.AsOf(20 * sec)}, bill("north", 1, "7.00"), 20 * sec},
		{one, []views.Option{views.AsOf(30 * sec)}, nil, 30 * sec},
		{one, nil, nil, 40 * sec},
		{two, nil, bill("south", 2, ""), 40 * sec},
		{two, []views.Option{views.AtLeast(35 * sec)}, bill("south", 2, ""), 40 * sec},
		{` [ "south" ,2] `, nil, bill("south", 2, ""), 40 * sec}, // any form of the key
		{key(t, "west", 3), nil, nil, 40 * sec},
		{one, []views.Option{views.AsOf(timeline.MinTime)}, nil, timeline.MinTime},
	} {
		got, found, a, err := v.Get(deadline(t), test.key, test.opts...)
		if err != nil || found != (test.want != nil) || found && !same(got, test.want) {
			t.Errorf("%s: %v, %v, %v, want %v", test.key, got, found, err, test.want)
		}
		if a.AsOf != test.asOf || a.Watermark != 40*sec || a.Quality != timeline.Estimated {
			t.Errorf("%s: answer %+v, want as of %s", test.key, a, test.asOf)
		}
	}
	if at, q := v.Watermark(); at != 40*sec || q != timeline.Estimated {
		t.Errorf("watermark %s, %s", at, q)
	}
	if name, version := v.Pipeline(); v.Name() != "bills" || name != pipeline || version != "0a1b" ||
		len(v.Schema().Columns) != 3 {
		t.Errorf("view %s of %s %s: %v", v.Name(), name, version, v.Schema())
	}
}

func TestNotFinal(t *testing.T) {
	w := newTable(t, bills(0))
	k := key(t, "north", 1)
	w.put(10*sec, k, bill("north", 1, "5.00"))
	w.watermark(40*sec, timeline.Exact, 0, 1)
	v := w.open()
	wants := func(what, text string, opts ...views.Option) {
		t.Helper()
		_, found, a, err := v.Get(deadline(t), k, opts...)
		var nf *views.NotFinalError
		if found || !errors.Is(err, views.ErrNotFinal) || !errors.As(err, &nf) || err.Error() != text {
			t.Errorf("%s: %v, %+v, %v\nwant: %s", what, found, a, err, text)
		}
	}
	wants("latest of nothing", "reading view bills: not yet final: nothing is; "+
		"the pipeline has not announced a watermark in every partition")
	w.watermark(40*sec, timeline.Exact, 2)
	if _, err := v.Resolve(deadline(t), views.AtLeast(40*sec), views.Wait(time.Hour)); err != nil {
		t.Fatal(err)
	}
	const text = "reading view bills as of 1970-01-01T00:00:45Z: not yet final: " +
		"its watermark is 1970-01-01T00:00:40Z, 5s behind"
	wants("without waiting", text, views.AsOf(45*sec))
	wants("waiting in vain", text, views.AsOf(45*sec), views.Wait(time.Millisecond))
	wants("waiting in vain for later", text, views.AtLeast(45*sec), views.Wait(time.Millisecond))
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := v.Resolve(ctx, views.AsOf(45*sec), views.Wait(time.Hour))
	if !errors.Is(err, views.ErrNotFinal) {
		t.Errorf("at the context's deadline: %v", err)
	}
}

// A read that may wait is answered when the slowest partition has come so far, and not
// before.
func TestWait(t *testing.T) {
	w := newTable(t, bills(0))
	k := key(t, "north", 1)
	w.watermark(5*sec, timeline.Exact)
	v := w.open()
	type result struct {
		r   row.Row
		a   views.Answer
		err error
	}
	ask := func(opts ...views.Option) <-chan result {
		out := make(chan result, 1)
		go func() {
			r, _, a, err := v.Get(deadline(t), k, append(opts, views.Wait(time.Hour))...)
			out <- result{r, a, err}
		}()
		return out
	}
	asOf, atLeast := ask(views.AsOf(10*sec)), ask(views.AtLeast(10*sec))
	w.put(10*sec, k, bill("north", 1, "5.00"))
	w.put(12*sec, k, bill("north", 1, "6.00"))
	w.watermark(12*sec, timeline.Exact, 0, 2)
	for _, c := range []<-chan result{asOf, atLeast} {
		select {
		case got := <-c:
			t.Fatalf("answered before partition 1 had come so far: %+v", got)
		default:
		}
	}
	w.watermark(11*sec, timeline.Exact, 1)
	got := <-asOf
	if got.err != nil || got.a.AsOf != 10*sec || !same(got.r, bill("north", 1, "5.00")) {
		t.Errorf("as of 10 s: %+v", got)
	}
	got = <-atLeast
	if got.err != nil || got.a.AsOf != 11*sec || !same(got.r, bill("north", 1, "5.00")) {
		t.Errorf("at least 10 s: %+v", got)
	}
}

func TestBeforeTheHorizon(t *testing.T) {
	w := newTable(t, bills(30*time.Second))
	k := key(t, "north", 1)
	w.put(10*sec, k, bill("north", 1, "5.00"))
	w.watermark(100*sec, timeline.Exact)
	v := w.open()
	ctx := deadline(t)
	if r, ok, _, err := v.Get(ctx, k, views.AsOf(70*sec)); err != nil || !ok {
		t.Errorf("at the horizon: %v, %v, %v", r, ok, err)
	}
	_, ok, _, err := v.Get(ctx, k, views.AsOf(70*sec-1))
	var gone *views.GoneError
	const text = "reading view bills as of 1970-01-01T00:01:09.999999Z: history is gone: " +
		"its horizon is 1970-01-01T00:01:10Z; a longer retention: keeps more"
	if ok || !errors.Is(err, views.ErrGone) || !errors.As(err, &gone) || err.Error() != text {
		t.Errorf("before the horizon: %v\nwant: %s", err, text)
	}
	if _, err := v.Scan(ctx, views.Range{}, nil, views.AsOf(0)); !errors.Is(err, views.ErrGone) {
		t.Errorf("a scan before the horizon: %v", err)
	}
}

func TestBadKeys(t *testing.T) {
	w := newTable(t, bills(0))
	w.watermark(sec, timeline.Exact)
	v := w.open()
	for text, want := range map[string]string{
		"north":           "reading view bills: bad key: ",
		`["north"]`:       "bad key: ",
		`["north","one"]`: "bigint",
		`["north",null]`:  "null",
		"":                "bad key: ",
	} {
		_, _, _, err := v.Get(deadline(t), text)
		if !errors.Is(err, views.ErrBadKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("Get(%q): %v, want %s", text, err, want)
		}
		_, _, err = v.History(deadline(t), text, 0, sec)
		if !errors.Is(err, views.ErrBadKey) {
			t.Errorf("History(%q): %v", text, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	w := newTable(t, bills(0))
	ctx := deadline(t)
	_, err := views.Open(ctx, w.config(), "bill")
	if !errors.Is(err, views.ErrUnknownView) ||
		err.Error() != `opening view: unknown view "bill"; the pipeline has bills` {
		t.Errorf("an unknown view: %v", err)
	}
	c := w.config()
	c.Pipeline = "tull"
	_, err = views.Open(ctx, c, "bills")
	if !errors.Is(err, views.ErrNoPipeline) ||
		!strings.Contains(err.Error(), `unknown pipeline "tull" on brokers`) ||
		!strings.Contains(err.Error(), "run the pipeline first") {
		t.Errorf("an unknown pipeline: %v", err)
	}
	cat, err := views.Load(ctx, w.config())
	if err != nil {
		t.Fatal(err)
	}
	cat.Views[0].Table = "till.gone-table"
	if _, err := views.OpenIn(ctx, w.config(), cat, "bills"); err == nil ||
		!strings.Contains(err.Error(), "opening view bills: ") ||
		!strings.Contains(err.Error(), "till.gone-table") {
		t.Errorf("a table topic that is not there: %v", err)
	}
	c = w.config()
	c.Kafka.Brokers = nil
	if _, err := views.Open(ctx, c, "bills"); err == nil ||
		!strings.Contains(err.Error(), "host:port") {
		t.Errorf("no brokers: %v", err)
	}
}

// A view's name may be given as SQL would take it.
func TestOpenIgnoresCase(t *testing.T) {
	w := newTable(t, bills(0))
	v, err := views.Open(deadline(t), w.config(), "BILLS")
	if err != nil {
		t.Fatal(err)
	}
	if v.Name() != "bills" {
		t.Errorf("its name is %s", v.Name())
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, _, err = v.Get(deadline(t), key(t, "north", 1), views.Wait(time.Hour))
	if err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("reading a view that was closed: %v", err)
	}
}
