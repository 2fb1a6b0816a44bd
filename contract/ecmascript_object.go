package contract

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math"
	"slices"
)

// member is one member of an object, as offsets into what is written: the key's token, then a colon,
// then the value. Of two members with one name the earlier takes over the later's value.
type member struct {
	key, keyEnd int
	value, end  int
	hash        uint64 // of the key's token
	index       int64  // the array index that the key is, or one of the two below
}

const (
	notIndex = -1
	dropped  = -2 // a repetition, whose value stands with the first of the name
)

// maxIndex is the largest array index (ECMA-262 6.1.7): 2^32 - 2.
const maxIndex = math.MaxUint32 - 1

// movedObject is an object whose members must be dropped or moved: what is between its braces,
// out[start:end], gives way to the members order[first:last].
type movedObject struct {
	start, end  int
	first, last int
}

// few is how many members an object may have for its keys to be compared one by one.
const few = 32

// object passes the object at i. Array indices come first, in ascending order, then the other keys in
// order of first appearance; of repeated keys the last value stands (OrdinaryOwnPropertyKeys, ECMA-262
// 10.1.11.1). Keys are compared as written, where one name has one form.
func (w *ecmaWriter) object(i int) int {
	start, base := w.at(i+1), len(w.members)
	if i = w.space(i + 1); w.in[i] == '}' {
		return i + 1
	}
	var hashes uint64 // a bit for every hash so far: most keys are told apart by it alone
	last, names, inOrder := int64(notIndex), false, true
	for {
		m, end := w.key(i)
		switch {
		case m.index == notIndex:
			names = true
		case names || m.index <= last:
			inOrder = false
		default:
			last = m.index
		}
		bit := uint64(1) << (m.hash & 63)
		if hashes&bit != 0 && inOrder && len(w.members)-base < few {
			inOrder = !hasHash(w.members[base:], m.hash)
		}
		hashes |= bit

		i = w.space(w.space(end) + 1)
		m.value = w.at(i)
		open := len(w.members)
		w.members = append(w.members, m)
		i = w.value(i)
		w.members[open].end = w.at(i)
		if i = w.space(i); w.in[i] == '}' {
			break
		}
		i = w.space(i + 1)
	}
	// Indices that only ascend cannot repeat; other keys of a large object are yet to be compared.
	if !inOrder || names && len(w.members)-base > few {
		w.copyTo(i)
		w.arrange(w.members[base:], start)
	}
	w.members = w.members[:base]
	return i + 1
}

// key passes the key at i, and gives the member that begins with it and where the key ends.
func (w *ecmaWriter) key(i int) (m member, end int) {
	m.key = w.at(i)
	end = w.string(i)
	token := w.written(i, end, m.key)
	m.keyEnd = m.key + len(token)
	m.hash = maphash.Bytes(w.seed, token)
	m.index = arrayIndex(token[1 : len(token)-1])
	return m, end
}

// written gives the token in[i:end], which begins at start in out, as it was written.
func (w *ecmaWriter) written(i, end, start int) []byte {
	if w.done <= i {
		return w.in[i:end] // all of it waits in the run
	}
	w.copyTo(end)
	return w.out[start:]
}

func hasHash(members []member, hash uint64) bool {
	for i := range members {
		if members[i].hash == hash {
			return true
		}
	}
	return false
}

// arrayIndex gives the array index that a key is, or notIndex.
func arrayIndex(key []byte) int64 {
	if len(key) == 0 || len(key) > len("4294967294") || key[0]-'0' > 9 || key[0] == '0' && len(key) > 1 {
		return notIndex
	}
	index := int64(0)
	for _, c := range key {
		if c-'0' > 9 {
			return notIndex
		}
		index = index*10 + int64(c-'0')
	}
	if index > maxIndex {
		return notIndex
	}
	return index
}

// arrange drops and orders the members of an object that was written from out[start:], and notes the
// object if that changed anything.
func (w *ecmaWriter) arrange(members []member, start int) {
	changed := false
	if len(members) <= few {
		changed = w.mergeFew(members)
	} else {
		changed = w.mergeMany(members)
	}
	w.order = slices.Grow(w.order, len(members))
	first := len(w.order)
	for _, m := range members {
		if m.index >= 0 {
			w.order = append(w.order, m)
		}
	}
	indices := w.order[first:]
	slices.SortFunc(indices, func(a, b member) int { return cmp.Compare(a.index, b.index) })
	for _, m := range members {
		if m.index == notIndex {
			w.order = append(w.order, m)
		}
	}
	if !changed && slices.EqualFunc(w.order[first:], members, func(a, b member) bool { return a.key == b.key }) {
		w.order = w.order[:first]
		return
	}
	w.moved = append(w.moved, movedObject{start: start, end: len(w.out), first: first, last: len(w.order)})
}

// merge drops later when it has earlier's name, after giving it its value.
func (w *ecmaWriter) merge(earlier, later *member) bool {
	if earlier.hash != later.hash || !bytes.Equal(w.out[earlier.key:earlier.keyEnd], w.out[later.key:later.keyEnd]) {
		return false
	}
	earlier.value, earlier.end = later.value, later.end
	later.index = dropped
	return true
}

// mergeFew merges repeated keys by comparing each with each.
func (w *ecmaWriter) mergeFew(members []member) (changed bool) {
	for later := range members {
		for earlier := range later {
			if members[earlier].index != dropped && w.merge(&members[earlier], &members[later]) {
				changed = true
				break
			}
		}
	}
	return changed
}

// mergeMany merges repeated keys through a table of slots that is at most half full. The hash has a
// seed of its own in every call, so that no publisher can choose keys that collide.
func (w *ecmaWriter) mergeMany(members []member) (changed bool) {
	size := 1
	for size < 2*len(members) {
		size *= 2
	}
	w.slots = slices.Grow(w.slots[:0], size)[:size]
	clear(w.slots)
next:
	for later := range members {
		slot := int(members[later].hash) & (size - 1)
		for ; w.slots[slot] != 0; slot = (slot + 1) & (size - 1) {
			if w.merge(&members[w.slots[slot]-1], &members[later]) {
				changed = true
				continue next
			}
		}
		w.slots[slot] = int32(later + 1)
	}
	return changed
}

// reordered puts the members of all moved objects right in out[base:], copying each byte once.
func (w *ecmaWriter) reordered(base int) []byte {
	// Objects were noted as they closed, the inner before the outer.
	slices.SortFunc(w.moved, func(a, b movedObject) int { return cmp.Compare(a.start, b.start) })
	end := len(w.out)
	result := w.appendOrdered(w.out, base, end)
	return result[:base+copy(result[base:], result[end:])]
}

// appendOrdered appends out[from:to] with the moved objects in it put right.
func (w *ecmaWriter) appendOrdered(dst []byte, from, to int) []byte {
	for {
		next, _ := slices.BinarySearchFunc(w.moved, from, func(o movedObject, at int) int { return cmp.Compare(o.start, at) })
		if next == len(w.moved) || w.moved[next].start >= to {
			return append(dst, w.out[from:to]...)
		}
		object := w.moved[next]
		dst = append(dst, w.out[from:object.start]...)
		for n, m := range w.order[object.first:object.last] {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, w.out[m.key:m.keyEnd]...)
			dst = append(dst, ':')
			dst = w.appendOrdered(dst, m.value, m.end)
		}
		from = object.end
	}
}
