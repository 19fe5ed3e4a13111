package table

import (
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	tab := New("KEY", ">QTY", "NAME")
	tab.Add("1", "5", "ärger")
	tab.Add("1001", "12345", "two\nlines")
	tab.Add("x")
	tab.Add("long", "", strings.Repeat("y", 100))
	var b strings.Builder
	if err := tab.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := "KEY     QTY  NAME\n" +
		"1         5  ärger\n" +
		"1001  12345  two lines\n" +
		"x\n" +
		"long         " + strings.Repeat("y", 59) + "…\n"
	if b.String() != want || tab.Len() != 4 {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
