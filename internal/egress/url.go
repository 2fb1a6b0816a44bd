package egress

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider"
)

// MaxURLLength bounds an endpoint's URL, in bytes.
const MaxURLLength = 2048

// CheckURL reads an endpoint's URL at registration. It asks for an http or https URL with a host and
// without user name or fragment, and refuses addresses that no delivery could reach because the
// guard stops it. Names are not looked up: what they mean today says nothing about tomorrow, and the
// guard judges every address when it is dialled. The error is a *postrider.Error of CodeInvalid whose
// message holds no part of the URL but its host.
func CheckURL(raw string, requireHTTPS, allowPrivate bool) (*url.URL, error) {
	return checkURL(raw, requireHTTPS, &guard{allowPrivate: allowPrivate})
}

// CheckURL is as the function, and knows the client's allow-list.
func (c *Client) CheckURL(raw string, requireHTTPS bool) (*url.URL, error) {
	return checkURL(raw, requireHTTPS, &c.guard)
}

func checkURL(raw string, requireHTTPS bool, g *guard) (*url.URL, error) {
	if raw == "" {
		return nil, invalid("a URL is needed, such as https://example.com/webhooks")
	}
	if len(raw) > MaxURLLength {
		return nil, invalid("a URL has at most %d bytes; this one has %d", MaxURLLength, len(raw))
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f && r < 0xa0 || r == '\\' }) {
		return nil, invalid("a URL has no spaces, control characters or backslashes")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, invalid("this is not a URL; one looks like https://example.com/webhooks")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("a URL begins with https://")
	case u.Opaque != "" || u.Host == "":
		return nil, invalid("the URL has no host; one looks like https://example.com/webhooks")
	case u.User != nil:
		return nil, invalid("a URL with a user name or password is not taken; use the signature to know the sender")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, invalid("a URL with a fragment (#) is not taken: a fragment is never sent")
	case requireHTTPS && u.Scheme != "https":
		return nil, invalid("the URL must begin with https://")
	}
	if err := checkPort(u); err != nil {
		return nil, err
	}
	if err := checkHost(u.Hostname(), g); err != nil {
		return nil, err
	}
	return u, nil
}

func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return invalid("the URL has a colon after its host and no port")
		}
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return invalid("a port is a number from 1 to 65535")
	}
	return nil
}

func checkHost(host string, g *guard) error {
	if strings.Contains(host, "%") {
		return invalid("an address with a zone (%%) is not taken")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if blocked := g.check(addr); blocked != nil {
			return invalid("the URL leads to %s", blocked.Error())
		}
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "" || len(name) > 253 {
		return invalid("the host is not a name: a name has 1 to 253 characters")
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return invalid("the host is not a name: use letters, digits and \"-\" in parts of 1 to 63 characters separated by dots, and the xn-- form for other alphabets")
		}
	}
	last := labels[len(labels)-1]
	if isNumber(last) {
		// Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses; nobody means that.
		return invalid("the host is not a name, nor an IPv4 address of four numbers")
	}
	if isLocalName(name, labels[0], last) && !g.allowPrivate {
		return invalid("%s is this machine itself: this gateway does not send there", name)
	}
	if name == "metadata.google.internal" {
		return invalid("%s is a cloud metadata address: this gateway does not send there", name)
	}
	return nil
}

func isLocalName(name, first, last string) bool {
	return last == "localhost" || name == "localhost.localdomain" ||
		first == name && (name == "ip6-localhost" || name == "ip6-loopback")
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return label[0] != '-' && label[len(label)-1] != '-'
}

func isNumber(label string) bool {
	if hex, found := strings.CutPrefix(label, "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func invalid(format string, args ...any) error {
	return postrider.Errorf(postrider.CodeInvalid, format, args...)
}
