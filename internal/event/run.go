package event

// Run is a run of facts of one lane of a journal, encoded and in order, on its
// way to the lane's stream.
type Run struct {
	Journal string
	Lane    Lane
	Last    int64 // seq of the last one
	Bodies  [][]byte
}
