package feed

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// drawClaims makes members with arbitrary claims: several may claim one number, in one
// generation or in several, and some claim numbers that there are not.
func drawClaims(t *rapid.T, members, n int) []claimant {
	out := make([]claimant, members)
	for m := range out {
		out[m] = claimant{
			generation: rapid.Int32Range(-1, 3).Draw(t, "generation"),
			owned: rapid.SliceOfDistinct(rapid.Int32Range(-1, int32(n)+1), rapid.ID).
				Draw(t, "owned"),
		}
	}
	return out
}

// owners resolves claims the dumb way: a number is owned by the first of those who claim
// it in the newest generation.
func owners(members []claimant, n int) []int {
	out := make([]int, n)
	for p := range out {
		out[p] = -1
		for m, c := range members {
			if slices.Contains(c.owned, int32(p)) &&
				(out[p] < 0 || c.generation > members[out[p]].generation) {
				out[p] = m
			}
		}
	}
	return out
}

// fair says whether shares differ by at most one.
func fair(owner []int, members int) bool {
	load := make([]int, members)
	for _, m := range owner {
		load[m]++
	}
	return slices.Max(load)-slices.Min(load) <= 1
}

func kept(before, after []int) int {
	n := 0
	for p := range after {
		if before[p] == after[p] {
			n++
		}
	}
	return n
}

// mostKept tries every fair assignment.
func mostKept(before []int, members int) int {
	best, owner := 0, make([]int, len(before))
	var try func(p int)
	try = func(p int) {
		if p == len(owner) {
			if fair(owner, members) {
				best = max(best, kept(before, owner))
			}
			return
		}
		for m := range members {
			owner[p] = m
			try(p + 1)
		}
	}
	try(0)
	return best
}

func TestAssignIsFairAndMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, n := rapid.IntRange(1, 3).Draw(t, "members"), rapid.IntRange(0, 6).Draw(t, "numbers")
		claims := drawClaims(t, members, n)
		got := assign(claims, int32(n))
		for p, m := range got {
			if m < 0 || m >= members {
				t.Fatalf("number %d goes to member %d of %d", p, m, members)
			}
		}
		if !fair(got, members) {
			t.Fatalf("shares of %v are not fair", got)
		}
		before := owners(claims, n)
		if k, most := kept(before, got), mostKept(before, members); k != most {
			t.Fatalf("%v became %v: %d are kept, %d could be", before, got, k, most)
		}
		if again := assign(claims, int32(n)); !slices.Equal(got, again) {
			t.Fatalf("first %v, then %v", got, again)
		}
	})
}

// Many members, many numbers: fair, and nothing moves in a group that does not change.
func TestAssignIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, n := rapid.IntRange(1, 20).Draw(t, "members"), rapid.IntRange(0, 100).Draw(t, "numbers")
		got := assign(drawClaims(t, members, n), int32(n))
		if n > 0 && !fair(got, members) {
			t.Fatalf("shares of %v are not fair", got)
		}
		claims := make([]claimant, members)
		for p, m := range got {
			claims[m].owned = append(claims[m].owned, int32(p))
		}
		if again := assign(claims, int32(n)); !slices.Equal(got, again) {
			t.Fatalf("%v became %v", got, again)
		}
	})
}

// join makes the members of a join response out of what each owned, in one generation.
func join(topics []string, owned ...map[string][]int32) []kmsg.JoinGroupResponseMember {
	out := make([]kmsg.JoinGroupResponseMember, len(owned))
	for i, o := range owned {
		out[i].MemberID = fmt.Sprintf("member-%02d", i)
		out[i].ProtocolMetadata = balancer{}.JoinGroupMetadata(topics, o, 4)
	}
	return out
}

// planOf balances as the group's leader does, and returns what each member is told.
func planOf(
	t *testing.T, members []kmsg.JoinGroupResponseMember, parts map[string]int32,
) map[string]map[string][]int32 {
	t.Helper()
	b, topics, err := balancer{}.MemberBalancer(members)
	if err != nil {
		t.Fatal(err)
	}
	if len(topics) != len(parts) {
		t.Fatalf("the members read %v", topics)
	}
	sync := balancer{}.Balance(b.(*kgo.ConsumerBalancer), parts).IntoSyncAssignment()
	out := map[string]map[string][]int32{}
	for _, s := range sync {
		got, err := balancer{}.ParseSyncAssignment(s.MemberAssignment)
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range got {
			slices.Sort(list)
		}
		out[s.MemberID] = got
	}
	return out
}

// The same numbers of all topics go together (F1), as far as each topic has them.
func TestBalanceKeepsNumbersTogether(t *testing.T) {
	topics := []string{"big", "small", "same"}
	parts := map[string]int32{"big": 5, "small": 2, "same": 5}
	members := join(topics,
		map[string][]int32{"big": {0, 1, 2, 3, 4}, "small": {0, 1}, "same": {0, 1, 2, 3, 4}}, nil)
	got := planOf(t, members, parts)
	want := map[string]map[string][]int32{
		"member-00": {"big": {0, 1, 2}, "small": {0, 1}, "same": {0, 1, 2}},
		"member-01": {"big": {3, 4}, "same": {3, 4}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("plan %v, want %v", got, want)
	}
	if p := (balancer{}); p.ProtocolName() != balanceProtocol || p.IsCooperative() {
		t.Errorf("protocol %s, cooperative: %v", p.ProtocolName(), p.IsCooperative())
	}
}

// A claim survives the wire; one that is damaged or foreign counts for nothing bad.
func TestClaims(t *testing.T) {
	meta := kmsg.NewConsumerMemberMetadata()
	b := balancer{}.JoinGroupMetadata(
		[]string{"a", "b"}, map[string][]int32{"a": {3, 1}, "b": {1, 2}}, 7)
	if err := meta.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	c := parseClaim(meta.UserData)
	if c.generation != 7 || !slices.Equal(c.owned, []int32{1, 2, 3}) {
		t.Errorf("claim %+v", c)
	}
	if c := parseClaim(nil); c.generation != -1 || c.owned != nil {
		t.Errorf("no claim is read as %+v", c)
	}
	if c := parseClaim([]byte{0, 0, 0, 1, 9}); c.generation != 1 || c.owned != nil {
		t.Errorf("half a claim is read as %+v", c)
	}
	hostile := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 9}, 0xFFFFFFFE)
	if got := assign([]claimant{parseClaim(hostile), {}}, 2); !fair(got, 2) {
		t.Errorf("a negative number claimed: %v", got)
	}
}

var _ kgo.ConsumerBalancerBalance = balancer{}
