package tail

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// ID is the id of an entry within its partition's stream.
type ID struct {
	Millis, Sequence uint64
}

// maxMillis keeps ids where every reader can count to.
const maxMillis = 1 << 53

// ParseID reads an id as Redis writes it.
func ParseID(text string) (ID, error) {
	millis, sequence, ok := strings.Cut(text, "-")
	m, errM := strconv.ParseUint(millis, 10, 64)
	s, errS := strconv.ParseUint(sequence, 10, 64)
	if !ok || errM != nil || errS != nil || m > maxMillis {
		return ID{}, fmt.Errorf("%q is not the id of an entry", text)
	}
	return ID{m, s}, nil
}

func (id ID) String() string {
	return strconv.FormatUint(id.Millis, 10) + "-" + strconv.FormatUint(id.Sequence, 10)
}

// Compare orders ids.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Millis, other.Millis), cmp.Compare(id.Sequence, other.Sequence))
}

// Position says for each partition behind which entry to go on. The zero id is
// before all entries.
type Position []ID

// String writes a position as clients keep it: "0:1700000000000-0,1:0-0".
func (p Position) String() string {
	var b strings.Builder
	for partition, id := range p {
		if partition > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(partition))
		b.WriteByte(':')
		b.WriteString(id.String())
	}
	return b.String()
}

// ParsePosition reads a position in a number of partitions. Partitions that it
// does not name begin at their start: they are new since it was given out.
func ParsePosition(text string, partitions int) (Position, error) {
	p := make(Position, partitions)
	named := make([]bool, partitions)
	for part := range strings.SplitSeq(text, ",") {
		number, entry, _ := strings.Cut(part, ":")
		partition, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is not a partition, a colon and an id", part)
		}
		if int(partition) >= partitions {
			return nil, fmt.Errorf("there is no partition %d, only %d of them", partition, partitions)
		}
		if named[partition] {
			return nil, fmt.Errorf("partition %d is given more than once", partition)
		}
		named[partition] = true
		if p[partition], err = ParseID(entry); err != nil {
			return nil, err
		}
	}
	return p, nil
}
