package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// A segment is a sequence of records, each
//
//	length of payload  uint32 LE
//	CRC-32C of payload uint32 LE
//	payload
//
// and a payload begins with its kind:
//
//	'H' header   JSON: format, journal, boot, next seq per lane; once, first
//	'I' intent   id [16], JSON of the fact as it would read if the process died now
//	'F' fact     id [16], stream uint8, partition uint16 LE, seq uint64 LE, JSON
const (
	kindHeader = 'H'
	kindIntent = 'I'
	kindFact   = 'F'

	frameBytes      = 8
	intentPrefix    = 1 + 16
	factPrefix      = 1 + 16 + 1 + 2 + 8
	maxPayloadBytes = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginRecord appends the frame of a record to dst, to be filled in by
// endRecord when the payload is behind it.
func beginRecord(dst []byte) []byte { return append(dst, make([]byte, frameBytes)...) }

func endRecord(record []byte) error {
	payload := record[frameBytes:]
	if len(payload) > maxPayloadBytes {
		return fmt.Errorf("a record of %d bytes is too large", len(payload))
	}
	binary.LittleEndian.PutUint32(record, uint32(len(payload)))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(payload, castagnoli))
	return nil
}

// unframe reads the record at the start of b; ok is false when there is no
// whole one. size is what it takes, frame included.
func unframe(b []byte) (payload []byte, size int, ok bool) {
	if len(b) < frameBytes {
		return nil, 0, false
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxPayloadBytes || int(n) > len(b)-frameBytes {
		return nil, 0, false
	}
	size = frameBytes + int(n)
	payload = b[frameBytes:size]
	return payload, size, crc32.Checksum(payload, castagnoli) == binary.LittleEndian.Uint32(b[4:])
}

// nextRecord finds the first whole record in b, after skipping what is not
// one; without any, skipped is all of b. JSON escapes the control characters
// that a plausible length has, so no text inside a record can pass for one.
func nextRecord(b []byte) (payload []byte, skipped, size int) {
	for skipped = range b {
		if payload, size, ok := unframe(b[skipped:]); ok {
			return payload, skipped, size
		}
	}
	return nil, len(b), 0
}

// isTorn reports whether b, in which there is no whole record, looks like one
// that was not written to its end, rather than like one that was damaged. A
// file system may have made room for the missing part: zeros.
func isTorn(b []byte) bool {
	if len(b) < frameBytes || len(bytes.Trim(b, "\x00")) == 0 {
		return true
	}
	n := binary.LittleEndian.Uint32(b)
	return n > 0 && n <= maxPayloadBytes && int(n) > len(b)-frameBytes
}

type factRecord struct {
	id   uuid.UUID
	lane event.Lane
	seq  int64
	body []byte
}

func appendFact(dst []byte, f factRecord) []byte {
	dst = append(dst, kindFact)
	dst = append(dst, f.id[:]...)
	dst = append(dst, byte(f.lane.Stream))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(f.lane.Partition))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.seq))
	return append(dst, f.body...)
}

func parseFact(payload []byte) (factRecord, bool) {
	if len(payload) < factPrefix || payload[0] != kindFact {
		return factRecord{}, false
	}
	f := factRecord{
		id:   uuid.UUID(payload[1:17]),
		lane: event.Lane{Stream: event.Stream(payload[17]), Partition: int(binary.LittleEndian.Uint16(payload[18:]))},
		seq:  int64(binary.LittleEndian.Uint64(payload[20:])),
		body: payload[factPrefix:],
	}
	return f, f.seq > 0
}

func appendIntent(dst []byte, id uuid.UUID, body []byte) []byte {
	dst = append(dst, kindIntent)
	dst = append(dst, id[:]...)
	return append(dst, body...)
}

func parseIntent(payload []byte) (id uuid.UUID, body []byte, ok bool) {
	if len(payload) < intentPrefix || payload[0] != kindIntent {
		return id, nil, false
	}
	return uuid.UUID(payload[1:17]), payload[intentPrefix:], true
}
