package align

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tideline/tideline/timeline"
)

// block stands in an input's fifo for a stretch of arrivals whose pending records have
// been spilled as one run. It is done when they all are.
type block struct {
	effects  effects
	left     int    // records of the run still to be delivered
	delivery uint64 // the last delivery of the stretch so far
	dead     uint64 // its last dead letter
}

// run is a sorted file of pending records of one input.
type run struct {
	input  int
	age    uint32
	block  *block
	file   SpoolFile
	size   int64 // bytes in the file
	read   int64 // bytes of it in or before buf
	buf    []byte
	unread int   // records of the run that head does not hold yet
	head   entry // the next record
}

// readChunk is how much of a run is read back at a time, writeChunk how much is written.
const (
	readChunk  = 64 << 10
	writeChunk = 256 << 10
)

// relieve spills if nothing is due and the memory is used up, by the input that uses
// most of it.
func (m *Merge) relieve() error {
	if m.spool == nil || m.used() <= m.memory {
		return nil
	}
	var most *input
	size := m.memory / 4
	for i := range m.inputs {
		in := &m.inputs[i]
		m.collect(in)
		n := in.bytes + entryOverhead*int64(int(in.judged-in.spillFrom())-in.pending)
		if n > size {
			most, size = in, n
		}
	}
	if most == nil || m.used() <= m.memory {
		return nil
	}
	return m.spill(most)
}

// spillFrom returns where the arrivals begin that are behind the last block.
func (in *input) spillFrom() uint64 {
	return max(in.fifo.head, in.afterBlock)
}

// spill writes the pending records of an input to a run and collapses the arrivals they
// stand among into a block.
func (m *Merge) spill(in *input) error {
	from := in.spillFrom()
	order := make([]uint64, 0, in.pending)
	for i := from; i < in.judged; i++ {
		if in.fifo.at(i).state == pending {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j uint64) int {
		a, b := in.fifo.at(i), in.fifo.at(j)
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.sender, b.sender),
			cmp.Compare(i, j))
	})
	b := &block{effects: newEffects(in.Senders), left: len(order)}
	if len(order) > 0 {
		r := &run{input: in.number, age: m.runAge, block: b, unread: len(order)}
		if err := r.write(m.spool, &in.fifo, order); err != nil {
			return fmt.Errorf("spilling %d records of %s: %w", len(order), in.Name, err)
		}
		m.runAge++
		if err := m.addRun(r); err != nil {
			return err
		}
	}
	m.collapse(in, from, b)
	return nil
}

// collapse replaces the judged arrivals from an index on by a block.
func (m *Merge) collapse(in *input, from uint64, b *block) {
	f := &in.fifo
	first := entry{kind: manyKinds, state: collapsed, block: b,
		offset: f.at(from).offset, promise: f.at(from).promise}
	for i := from; i < in.judged; i++ {
		e := f.at(i)
		b.effects.add(e)
		switch e.state {
		case delivered:
			b.delivery = max(b.delivery, e.seq)
		case dead:
			b.dead = max(b.dead, e.seq)
		default: // nothing outlives it
		}
		*e = entry{}
	}
	*f.at(from) = first
	kept := from + 1
	for i := in.judged; i < f.tail; i++ {
		if i != kept {
			*f.at(kept) = *f.at(i)
			*f.at(i) = entry{}
		}
		kept++
	}
	f.tail = kept
	in.judged, in.afterBlock = from+1, from+1
	size := 64
	for size < 2*f.len() {
		size *= 2
	}
	f.resize(size)
	m.bytes -= in.bytes
	in.bytes, in.pending = 0, 0
	for s := in.first; s < in.first+in.count; s++ {
		m.lanes[s].clear()
		m.refresh(s)
	}
}

// addRun gives a run a leaf of the tree.
func (m *Merge) addRun(r *run) error {
	if err := r.advance(); err != nil {
		return fmt.Errorf("reading spilled records back: %w", err)
	}
	slot := slices.Index(m.runs, nil)
	if slot < 0 {
		slot = len(m.runs)
		m.runs = append(m.runs, nil)
		if len(m.lanes)+len(m.runs) > len(m.tree.keys) {
			m.tree.grow(len(m.lanes) + len(m.runs))
		}
	}
	m.runs[slot] = r
	m.tree.set(len(m.lanes)+slot, m.runKey(r))
	return nil
}

func (m *Merge) runKey(r *run) key {
	return key{
		at: r.head.at, lane: int32(m.inputs[r.input].first) + r.head.sender,
		age: r.age, due: true,
	}
}

// nextOfRun delivers the first record of a run.
func (m *Merge) nextOfRun(leaf int) (Delivery, bool, error) {
	slot := leaf - len(m.lanes)
	r := m.runs[slot]
	d := Delivery{Record: r.head.record(r.input)}
	lane := m.inputs[r.input].first + int(r.head.sender)
	m.records--
	r.block.left--
	r.block.delivery = m.deliver(&d, lane)
	if r.unread > 0 {
		if err := r.advance(); err != nil {
			return Delivery{}, false, fmt.Errorf("reading spilled records back: %w", err)
		}
		m.tree.set(leaf, m.runKey(r))
		return d, true, nil
	}
	m.runs[slot] = nil
	m.tree.set(leaf, noKey)
	if err := r.file.Close(); err != nil {
		return Delivery{}, false, fmt.Errorf("deleting a spool file: %w", err)
	}
	return d, true, nil
}

// write writes the arrivals with the given indexes.
func (r *run) write(s Spool, f *fifo, order []uint64) error {
	file, err := s.Create()
	if err != nil {
		return err
	}
	r.file = file
	buf := make([]byte, 0, writeChunk+4096)
	for n, i := range order {
		buf = appendSpilled(buf, f.at(i))
		if len(buf) < writeChunk && n < len(order)-1 {
			continue
		}
		if _, err := file.WriteAt(buf, r.size); err != nil {
			return errors.Join(err, file.Close())
		}
		r.size += int64(len(buf))
		buf = buf[:0]
	}
	return nil
}

// advance reads the next record of the run into head. Its data stays valid: the chunk it
// lies in is not reused.
func (r *run) advance() error {
	for need := spilledHeader; ; {
		if len(r.buf) >= need {
			size := spilledHeader + int(binary.LittleEndian.Uint32(r.buf[spilledHeader-4:]))
			if len(r.buf) >= size {
				r.head = decodeSpilled(r.buf[:size:size])
				r.buf = r.buf[size:]
				r.unread--
				return nil
			}
			need = size
		}
		n := min(int64(max(readChunk, need)), r.size-r.read+int64(len(r.buf)))
		if n < int64(need) {
			return fmt.Errorf("spool file ends after %d bytes in the middle of a record",
				r.size)
		}
		chunk := make([]byte, n)
		have := copy(chunk, r.buf)
		if got, err := r.file.ReadAt(chunk[have:], r.read); got < len(chunk)-have {
			return err // io.EOF is none if all was there
		}
		r.read += n - int64(have)
		r.buf = chunk
	}
}

// spilledHeader is the size of a spilled record before its data.
const spilledHeader = 8 + 8 + 8 + 8 + 4 + 4 + 1 + 4

func appendSpilled(dst []byte, e *entry) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.offset))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.at))
	dst = binary.LittleEndian.AppendUint64(dst, e.n)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.position))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(e.sender))
	dst = binary.LittleEndian.AppendUint32(dst, e.output)
	dst = append(dst, byte(e.has))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.data)))
	return append(dst, e.data...)
}

func decodeSpilled(b []byte) entry {
	return entry{
		offset:   int64(binary.LittleEndian.Uint64(b)),
		at:       timeline.Time(binary.LittleEndian.Uint64(b[8:])),
		n:        binary.LittleEndian.Uint64(b[16:]),
		position: int64(binary.LittleEndian.Uint64(b[24:])),
		sender:   int32(binary.LittleEndian.Uint32(b[32:])),
		output:   binary.LittleEndian.Uint32(b[36:]),
		has:      flags(b[40]),
		data:     b[spilledHeader:],
	}
}
