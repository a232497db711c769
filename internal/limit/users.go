package limit

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// users are what this process counts of the users of keys by itself. Of n
// processes, each lets a user have a 2n-th of a limit, without telling anybody;
// the rest, which is half of it, is a bucket that processes share like a key's.
// One who is alone lets them have all of it. So hardly any user is heard of at
// the desk, however many there are.
//
// Who is not held has all there is: a user is forgotten who has nothing under
// way and has not used anything that time has not brought back. It is safe for
// concurrent use.
type users struct {
	seeds  [4]maphash.Seed
	shards [userShards]userShard
	swept  int
	held   atomic.Int64
}

const (
	userShards = 256 // one of which is swept every tick, so that nobody waits for long
	// mostUsers bounds the memory: beyond it those are forgotten, of a few, who
	// have used least.
	mostUsers = 1 << 20
	fewUsers  = 8
)

type userShard struct {
	mu    sync.Mutex
	users map[userID]*user
}

// userID is a hash of a key and a user, by seeds of this process: names of users
// are not kept.
type userID [2]uint64

type user struct {
	shard *userShard
	at    time.Time // as of which requests and tokens stand
	open  int64     // requests under way
	slots int64     // of these, that are within this process's part of the limit
	rates [2]userRate
}

// userRate is a rate of a user's, in units.
type userRate struct {
	part, rest float64 // of the limit: this process's, and what is shared
	used       float64 // of the part, that time has not brought back
	beyond     float64 // of the rest, as far as it is known here
}

func newUsers() *users {
	u := new(users)
	for i := range u.seeds {
		u.seeds[i] = maphash.MakeSeed()
	}
	for i := range u.shards {
		u.shards[i].users = map[userID]*user{}
	}
	return u
}

// parts divides a limit among so many processes: a part for each, and the rest.
// Below 0: of so many, and this one is too new to have a part.
func parts(most int64, processes int64) (part, rest int64) {
	switch {
	case processes == 0 || processes == -1:
		return 0, most
	case processes == 1:
		return most, 0
	}
	n := max(processes, -processes)
	part = most / (2 * n)
	rest = most - n*part
	if processes < 0 {
		part = 0
	}
	return part, rest
}

// visit is a request of a user's. The zero value is of nobody.
type visit struct {
	user             *user
	requests, tokens float64 // that were taken of this process's part
	slot             bool
}

// enter takes a request of what this process lets a user have. What is short is
// to be had of the rest, kind by kind, or not at all.
func (u *users) enter(of *Limits, now time.Time, tokens float64, processes int64, s *Standings) (v visit, short [kinds]bool) {
	id := userID{maphash.String(u.seeds[0], of.User) ^ maphash.String(u.seeds[1], of.Key), maphash.String(u.seeds[2], of.User) ^ maphash.String(u.seeds[3], of.Key)}
	shard := &u.shards[id[0]%userShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	who := shard.users[id]
	if who == nil {
		who = u.admit(shard, id, now)
	}
	who.refill(now)
	v.user = who
	for i, units := range [...]float64{1, tokens} {
		kind := kindAt(i)
		most := of.PerUser.of(kind)
		if most == 0 {
			continue
		}
		r := &who.rates[i]
		r.divide(most, processes)
		if units = min(units, float64(most)); !r.take(units, kind == Tokens) {
			short[i] = true
			continue
		}
		if kind == Tokens {
			v.tokens = units
		} else {
			v.requests = units
		}
		s.tell(kind, r.standing())
	}
	if most := of.PerUser.Concurrency; most > 0 {
		v.slot = who.hasSlot(most, processes)
		short[2] = !v.slot
	}
	who.open++
	if v.slot {
		who.slots++
	}
	return v, short
}

// admit begins with a user. The shard is locked.
func (u *users) admit(shard *userShard, id userID, now time.Time) *user {
	if len(shard.users) >= mostUsers/userShards {
		u.evict(shard)
	}
	who := &user{shard: shard, at: now}
	shard.users[id] = who
	u.held.Add(1)
	return who
}

func (u *users) evict(shard *userShard) {
	var least userID
	var used float64
	looked, found := 0, false
	for id, who := range shard.users {
		if looked++; looked > fewUsers {
			break
		}
		if n := who.share(); who.open == 0 && (!found || n < used) {
			least, used, found = id, n, true
		}
	}
	if found {
		delete(shard.users, least)
		u.held.Add(-1)
	}
}

// share is how much of their limits a user has used here.
func (u *user) share() (used float64) {
	for _, r := range u.rates {
		used = max(used, r.used/max(r.part, 1))
	}
	return used
}

// hasSlot reports whether one more may be under way within this process's part.
func (u *user) hasSlot(most, processes int64) bool {
	part, rest := parts(most, processes)
	if rest == 0 {
		return u.open < part // also those that began when others were there
	}
	return u.slots < part
}

// refill is time that goes by; see lease.refill.
func (u *user) refill(now time.Time) {
	gone := now.Sub(u.at)
	if gone <= 0 && gone > -mostBehind {
		return
	}
	if gone > 0 {
		for i := range u.rates {
			r := &u.rates[i]
			r.used = max(r.used-gone.Seconds()*r.part/60, 0)
			r.beyond = max(r.beyond-gone.Seconds()*r.rest/60, 0)
			if r.part == 0 {
				r.used = 0
			}
		}
	}
	u.at = now
}

func (r *userRate) divide(most, processes int64) {
	part, rest := parts(most, processes)
	r.part, r.rest = float64(part), float64(rest)
}

// take takes units, where they are there; one that is larger than all of the
// part may owe the rest.
func (r *userRate) take(units float64, mayOwe bool) bool {
	if r.part < 1 || r.used+units > r.part+rounding && !(mayOwe && r.used <= rounding) {
		return false
	}
	r.used += units
	return true
}

func (r *userRate) standing() Standing {
	return standing(int64(r.part+r.rest), max(r.part-r.used, 0)+max(r.rest-r.beyond, 0))
}

// told notes how the rest stands, and gives how the whole does.
func (v *visit) told(i int, rest Standing) Standing {
	v.user.shard.mu.Lock()
	defer v.user.shard.mu.Unlock()
	r := &v.user.rates[i]
	r.beyond = max(r.rest-float64(rest.Remaining), 0)
	return r.standing()
}

// until is when units may be there again, of the part or of the rest.
func (v *visit) until(i int, units, rest int64) time.Duration {
	v.user.shard.mu.Lock()
	defer v.user.shard.mu.Unlock()
	r := &v.user.rates[i]
	if r.part < 1 || rest > 0 {
		return soon // which the rest has told
	}
	return max(seconds((r.used+min(float64(units), r.part)-r.part)/r.part*60), soon)
}

// settle ends a request, which used so many tokens.
func (v *visit) settle(now time.Time, tokens float64) {
	v.end(now, 0, v.tokens-tokens)
}

// undo ends a request that was not let pass.
func (v *visit) undo(now time.Time) { v.end(now, v.requests, v.tokens) }

// end gives back. It counts once.
func (v *visit) end(now time.Time, requests, tokens float64) {
	u := v.user
	if u == nil {
		return
	}
	v.user = nil
	u.shard.mu.Lock()
	defer u.shard.mu.Unlock()
	u.refill(now)
	u.open--
	if v.slot {
		u.slots--
	}
	u.rates[0].used = max(u.rates[0].used-requests, 0)
	if v.tokens > 0 {
		u.rates[1].used = max(u.rates[1].used-tokens, 0)
	}
}

// sweep forgets some of those who have all there is.
func (u *users) sweep(now time.Time) {
	shard := &u.shards[u.swept%userShards]
	u.swept++
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for id, who := range shard.users {
		if who.open > 0 {
			continue
		}
		if who.refill(now); who.rates[0].isFull() && who.rates[1].isFull() {
			delete(shard.users, id)
			u.held.Add(-1)
		}
	}
}

func (r *userRate) isFull() bool { return r.used == 0 && r.beyond == 0 }
