package gemini

import (
	"bytes"
	"encoding/json"
	"slices"
)

// object is a JSON object in its order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

func readObject(raw json.RawMessage) (object, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return nil, false
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		m := member{name: name.(string)} // of an object, nothing else stands here
		if d.Decode(&m.value) != nil {
			return nil, false
		}
		o = append(o, m)
	}
	_, err := d.Token()
	return o, err == nil
}

func (o object) get(name string) json.RawMessage {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// names are the members' names, for objects too large to look through often.
func (o object) names() map[string]bool {
	all := make(map[string]bool, len(o))
	for _, m := range o {
		all[m.name] = true
	}
	return all
}

func (o *object) set(name string, value json.RawMessage) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

func (o *object) remove(name string) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.name == name })
}

func (o object) bytes() json.RawMessage {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, mustJSON(m.name)...), ':'), m.value...)
	}
	return append(b, '}')
}

// mustJSON encodes strings, numbers and lists of them, which cannot fail.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
