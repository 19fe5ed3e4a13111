package feed

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// balancer assigns partition numbers, not partitions: the same number of every topic
// goes to the same member (F1). A member keeps what it had unless it has more than its
// share.
type balancer struct{}

const balanceProtocol = "tideline-copartition"

func (balancer) ProtocolName() string { return balanceProtocol }
func (balancer) IsCooperative() bool  { return false }

// JoinGroupMetadata carries the partition numbers owned so far, and of which generation.
func (balancer) JoinGroupMetadata(
	topics []string, current map[string][]int32, generation int32,
) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 0
	meta.Topics = topics
	var owned []int32
	for _, parts := range current {
		owned = append(owned, parts...)
	}
	slices.Sort(owned)
	owned = slices.Compact(owned)
	meta.UserData = binary.BigEndian.AppendUint32(nil, uint32(generation))
	for _, p := range owned {
		meta.UserData = binary.BigEndian.AppendUint32(meta.UserData, uint32(p))
	}
	return meta.AppendTo(nil)
}

func (balancer) ParseSyncAssignment(b []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(b)
}

func (b balancer) MemberBalancer(
	members []kmsg.JoinGroupResponseMember,
) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, err
	}
	return cb, cb.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (balancer) Balance(b *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	n := int32(0)
	for _, count := range topics {
		n = max(n, count)
	}
	members := make([]claimant, len(b.Members()))
	i := 0
	b.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		members[i] = parseClaim(meta.UserData)
		i++
	})
	plan := b.NewPlan()
	for p, owner := range assign(members, n) {
		m, meta := b.MemberAt(owner)
		for _, topic := range meta.Topics {
			if int32(p) < topics[topic] {
				plan.AddPartition(m, topic, int32(p))
			}
		}
	}
	return plan
}

// claimant is a member's claim to the partition numbers it owned in a generation.
type claimant struct {
	generation int32
	owned      []int32
}

func parseClaim(b []byte) claimant {
	if len(b) < 4 {
		return claimant{generation: -1}
	}
	c := claimant{generation: int32(binary.BigEndian.Uint32(b))}
	for b = b[4:]; len(b) >= 4; b = b[4:] {
		c.owned = append(c.owned, int32(binary.BigEndian.Uint32(b)))
	}
	return c
}

// assign returns the owner of each of n partition numbers: shares differ by at most one,
// and within them everybody keeps what the newest generation says they had.
func assign(members []claimant, n int32) []int {
	owner := make([]int, n)
	since := make([]int32, n)
	for p := range owner {
		owner[p] = -1
	}
	for m, c := range members {
		for _, p := range c.owned {
			if p >= 0 && p < n && (owner[p] < 0 || c.generation > since[p]) {
				owner[p], since[p] = m, c.generation
			}
		}
	}
	share, extra := int(n)/len(members), int(n)%len(members)
	load := make([]int, len(members))
	for p, m := range owner {
		if m < 0 {
			continue
		}
		switch {
		case load[m] < share:
			load[m]++
		case load[m] == share && extra > 0:
			load[m]++
			extra--
		default:
			owner[p] = -1
		}
	}
	for p, m := range owner {
		if m >= 0 {
			continue
		}
		least := 0
		for i := range load {
			if load[i] < load[least] {
				least = i
			}
		}
		owner[p] = least
		load[least]++
	}
	return owner
}
