package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// sync makes everything durable that is written so far. It holds the lock on
// entry and on return, but not while the disk works: writers go on, and all
// who wait for the disk share the next sync.
func (j *Journal) sync() error {
	j.syncing = true
	unsynced, name := j.unsynced(), j.active().number
	isNew := name != j.named
	j.mu.Unlock()
	var err error
	for _, u := range unsynced {
		if err = datasync(u.segment.file); err != nil {
			break
		}
	}
	if err == nil && isNew {
		err = syncDir(j.opts.Dir)
	}
	j.mu.Lock()
	j.syncing = false
	j.synced.Broadcast()
	if err != nil {
		// The kernel may have dropped what it could not write, and would not
		// say so again: there is no telling what is on the disk.
		j.broken = fmt.Errorf("the journal cannot be synced any more: %w", err)
		return j.broken
	}
	for _, u := range unsynced {
		u.segment.synced = u.end
	}
	j.named = name
	return nil
}

// unsynced lists what a sync has to make durable, oldest first.
func (j *Journal) unsynced() []extent {
	var list []extent
	for _, s := range j.segments {
		if s.synced < s.size {
			list = append(list, extent{s, s.size})
		}
	}
	return list
}

// awaitSync waits for the disk if the journal promises that before every
// return.
func (j *Journal) awaitSync(e extent) error {
	if j.opts.Sync > 0 {
		return nil
	}
	return j.awaitDisk(e)
}

// awaitDisk waits until e is durable. The first one to come syncs for all.
func (j *Journal) awaitDisk(e extent) error {
	for e.segment.synced < e.end {
		switch {
		case j.syncing:
			j.synced.Wait()
		case j.broken != nil:
			return j.broken
		default:
			_ = j.sync() // is in j.broken
		}
	}
	return nil
}

// syncLoop makes what was written durable every opts.Sync.
func (j *Journal) syncLoop() {
	defer close(j.idle)
	if j.opts.Sync == 0 {
		return
	}
	tick := time.NewTicker(j.opts.Sync)
	defer tick.Stop()
	for {
		select {
		case <-j.done:
			return
		case <-tick.C:
			j.syncWritten()
		}
	}
}

func (j *Journal) syncWritten() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil || j.syncing || j.active().synced == j.active().size {
		return
	}
	if err := j.sync(); err != nil {
		j.opts.Log.Error("journal refuses requests until it is opened again", "dir", j.opts.Dir, "err", err)
	}
}

// Close makes everything durable and lets another process have the folder.
func (j *Journal) Close() error { return j.close(func() error { return nil }) }

// close closes, and does something with the closed files while the folder is
// still ours.
func (j *Journal) close(then func() error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	close(j.done)
	for j.syncing {
		j.synced.Wait()
	}
	if j.broken == nil {
		j.broken = errClosed
	}
	err := j.sync()
	j.mu.Unlock()
	<-j.idle
	j.mu.Lock()
	for _, s := range j.segments {
		err = errors.Join(err, s.file.Close())
	}
	return errors.Join(err, then(), j.lock.Close())
}

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
