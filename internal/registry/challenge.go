package registry

import "strings"

// challenge is what a registry wants to see in the Authorization header.
type challenge struct {
	scheme                string // "bearer", "basic", or "" for nothing
	realm, service, scope string
}

// parseChallenges reads WWW-Authenticate headers (RFC 9110, 11.6.1) and returns
// the best one that distill can answer: Bearer before Basic.
func parseChallenges(headers []string) challenge {
	var best challenge
	for _, h := range headers {
		p := challengeParser{rest: h}
		for {
			c, ok := p.next()
			if !ok {
				break
			}
			if c.scheme == "bearer" && best.scheme != "bearer" || c.scheme == "basic" && best.scheme == "" {
				best = c
			}
		}
	}
	return best
}

// challengeParser walks over one header, which may hold several challenges.
type challengeParser struct{ rest string }

// next reads a scheme and its parameters.
func (p *challengeParser) next() (challenge, bool) {
	p.skip(" \t,")
	scheme := p.token()
	if scheme == "" {
		return challenge{}, false
	}
	c := challenge{scheme: strings.ToLower(scheme)}
	for {
		before := p.rest
		p.skip(" \t,")
		key := strings.ToLower(p.token())
		p.skip(" \t")
		if key == "" || !strings.HasPrefix(p.rest, "=") {
			p.rest = before // the next scheme, or the end
			return c, true
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value := p.value()
		switch key {
		case "realm":
			c.realm = value
		case "service":
			c.service = value
		case "scope":
			c.scope = value
		}
	}
}

func (p *challengeParser) skip(set string) { p.rest = strings.TrimLeft(p.rest, set) }

// token reads the characters that a token may have.
func (p *challengeParser) token() string {
	n := strings.IndexFunc(p.rest, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	})
	if n < 0 {
		n = len(p.rest)
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

// value reads a quoted string or what stands before the next comma.
func (p *challengeParser) value() string {
	if !strings.HasPrefix(p.rest, `"`) {
		v, rest, _ := strings.Cut(p.rest, ",")
		p.rest = rest
		return strings.TrimSpace(v)
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.rest = "" // not closed
	return b.String()
}
