package openid

import "strings"

// claims are what an ID token says of a person.
type claims struct{ all map[string]any }

func (c claims) text(name string) string {
	text, _ := c.all[name].(string)
	return text
}

// email is the person's address, and the domain of it, where the provider has
// verified it: others are what anybody may write.
func (c claims) email() (address, domain string) {
	verified := c.all["email_verified"]
	if address = c.text("email"); verified != true && verified != "true" {
		return "", ""
	}
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "", ""
	}
	return address, address[at+1:]
}

// values are those of a claim, which is a text or a list of them. It is looked
// for by its whole name, which may hold dots, and then as a path: the claim
// realm_access.roles of Keycloak is roles inside of realm_access.
func (c claims) values(name string) []string {
	found, ok := c.all[name]
	for within := c.all; !ok; {
		first, rest, more := strings.Cut(name, ".")
		if !more {
			found = within[first]
			break
		}
		if within, _ = within[first].(map[string]any); within == nil {
			return nil
		}
		name = rest
	}
	switch v := found.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, one := range v {
			if text, isText := one.(string); isText {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}
