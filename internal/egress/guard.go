package egress

import (
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// guard says which addresses may be connected to. It is a pure predicate over addresses: names play
// no part in it, because it is asked when names have become addresses.
type guard struct {
	allowPrivate bool
	allow        []netip.Prefix
}

// blockedError is an address the guard refused, and what kind of address it is.
type blockedError struct {
	addr netip.Addr
	kind string
}

func (e *blockedError) Error() string {
	return e.addr.String() + ", which is " + e.kind + ": this gateway does not send there"
}

// metadata lists the addresses at which clouds hand credentials to whoever asks from inside. They
// stay refused when private addresses are allowed; only an allow-list entry of exactly one of them
// opens it. Sources: the providers' documentation of their instance metadata services.
func metadata(a netip.Addr) bool {
	switch a {
	case netip.AddrFrom4([4]byte{169, 254, 169, 254}), // AWS, Google, Azure, DigitalOcean, OpenStack and others
		netip.AddrFrom4([4]byte{169, 254, 170, 2}),                                // AWS ECS task credentials
		netip.AddrFrom4([4]byte{169, 254, 170, 23}),                               // AWS EKS pod identity
		netip.AddrFrom4([4]byte{100, 100, 100, 200}),                              // Alibaba
		netip.AddrFrom4([4]byte{192, 0, 0, 192}),                                  // Oracle
		netip.AddrFrom4([4]byte{168, 63, 129, 16}),                                // Azure's host agent, outside every private range
		netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x0e, 3: 0xc2, 14: 0x02, 15: 0x54}), // fd00:ec2::254, AWS
		netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x0e, 3: 0xc2, 15: 0x23}),           // fd00:ec2::23, AWS EKS
		netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x20, 3: 0xce, 14: 0x02, 15: 0x54}): // fd20:ce::254, Google
		return true
	}
	return false
}

// The prefixes under which private, and no other special, addresses live.
var (
	nat64       = ssrf.IPv6NAT64Prefix                    // RFC 6052, section 2.1
	nat64Local  = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215: translates to whatever the network says
	sixToFour   = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo      = netip.MustParsePrefix("2001::/32")      // RFC 4380
	v4Compat    = netip.MustParsePrefix("::/96")          // RFC 4291, section 2.5.5.1, deprecated
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10")  // RFC 6598
)

// check is nil for an address that may be connected to.
func (g *guard) check(addr netip.Addr) *blockedError {
	addr = addr.WithZone("").Unmap() // a zone would keep every Prefix.Contains from matching
	refuse := func(kind string) *blockedError { return &blockedError{addr, kind} }

	inner, embedded := embeddedIPv4(addr)
	if metadata(addr) || embedded && metadata(inner) {
		if g.allowsExactly(addr) {
			return nil
		}
		return refuse("a cloud metadata address")
	}
	if g.allows(addr) {
		return nil
	}
	switch {
	case addr.IsUnspecified():
		return refuse("an unspecified address")
	case addr.IsLoopback():
		if g.allowPrivate {
			return nil
		}
		return refuse("a loopback address")
	case addr.IsPrivate() || sharedSpace.Contains(addr):
		if g.allowPrivate {
			return nil
		}
		return refuse("a private address")
	case nat64Local.Contains(addr):
		return refuse("a locally translated address")
	case nat64.Contains(addr):
		return g.check(inner) // the network sends it to this IPv4 address
	case addr.Is6() && !ssrf.IPv6GlobalUnicast.Contains(addr), addr.IsMulticast(), addr.IsLinkLocalUnicast():
		return refuse("not a public address")
	}
	denied := ssrf.IPv4DeniedPrefixes
	if addr.Is6() {
		denied = ssrf.IPv6DeniedPrefixes // 6to4 and Teredo are among them
	}
	for _, p := range denied {
		if p.Contains(addr) {
			return refuse("not a public address")
		}
	}
	return nil
}

func (g *guard) allows(addr netip.Addr) bool {
	for _, p := range g.allow {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func (g *guard) allowsExactly(addr netip.Addr) bool {
	for _, p := range g.allow {
		if p.IsSingleIP() && p.Addr() == addr {
			return true
		}
	}
	return false
}

// embeddedIPv4 is the IPv4 address that an IPv6 address carries to a translator or tunnel.
func embeddedIPv4(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr), nat64Local.Contains(addr), v4Compat.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(addr): // the client's address, inverted
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	}
	return netip.Addr{}, false
}

// checkSocket is the guard at the last moment: the address is the one the socket is about to
// connect to.
func (g *guard) checkSocket(address string, _ syscall.RawConn) error {
	socket, err := netip.ParseAddrPort(address)
	if err != nil {
		return &blockedError{netip.Addr{}, "not an address that can be judged"}
	}
	if blocked := g.check(socket.Addr()); blocked != nil {
		return blocked
	}
	return nil
}
