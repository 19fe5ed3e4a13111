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
	tab.Add("long", "", strings.Repeat("y", 300))
	tab.Add(strings.Repeat("z", 70))
	var b strings.Builder
	if err := tab.Print(&b); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat(" ", 56)
	want := "KEY " + pad + "    QTY  NAME\n" +
		"1   " + pad + "      5  ärger\n" +
		"1001" + pad + "  12345  two lines\n" +
		"x\n" +
		"long" + pad + "         " + strings.Repeat("y", 239) + "…\n" +
		strings.Repeat("z", 59) + "…\n"
	if b.String() != want || tab.Len() != 5 {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
