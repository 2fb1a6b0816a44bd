package egress

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
)

func TestGuardKnowsEveryFormOfAnAddress(t *testing.T) {
	const (
		public  = "" // allowed always
		dev     = "private"
		never   = "never"
		present = "metadata"
	)
	for _, test := range []struct{ addr, class string }{
		{"93.184.215.14", public}, {"1.1.1.1", public}, {"2606:4700:4700::1111", public}, {"2a00:1450:4001::1", public},
		{"::ffff:93.184.215.14", public}, {"64:ff9b::5db8:d70e", public}, // NAT64 of a public address

		{"127.0.0.1", dev}, {"127.255.255.254", dev}, {"::1", dev}, {"::ffff:127.0.0.1", dev}, {"64:ff9b::7f00:1", dev},
		{"10.0.0.1", dev}, {"172.16.0.1", dev}, {"172.31.255.255", dev}, {"192.168.1.1", dev}, {"100.64.0.1", dev},
		{"fc00::1", dev}, {"fdff::1", dev}, {"fd00::1%eth0", dev}, {"::ffff:10.0.0.1", dev}, {"64:ff9b::a00:1", dev}, {"64:ff9b::c0a8:101", dev},

		{"0.0.0.0", never}, {"0.1.2.3", never}, {"::", never}, {"::ffff:0.0.0.0", never}, {"169.254.1.1", never}, {"fe80::1", never}, {"fe80::1%eth0", never},
		{"192.0.0.1", never}, {"192.0.2.1", never}, {"198.18.0.1", never}, {"198.51.100.1", never}, {"203.0.113.1", never}, {"192.88.99.1", never},
		{"224.0.0.1", never}, {"239.255.255.255", never}, {"240.0.0.1", never}, {"255.255.255.255", never}, {"ff02::1", never},
		{"64:ff9b:1::a00:1", never}, {"64:ff9b:1::5db8:d70e", never}, {"64:ff9b::e000:1", never},
		{"2002:a00:1::1", never}, {"2002:5db8:d70e::1", never}, {"2001:0:4136:e378:8000:63bf:f5ff:fffe", never},
		{"::10.0.0.1", never}, {"::93.184.215.14", never}, {"2001:db8::1", never}, {"3fff::1", never}, {"fec0::1", never}, {"100::1", never}, {"5f00::1", never},

		{"169.254.169.254", present}, {"::ffff:169.254.169.254", present}, {"64:ff9b::a9fe:a9fe", present}, {"64:ff9b:1::a9fe:a9fe", present},
		{"2002:a9fe:a9fe::1", present}, {"2001:0:4136:e378:8000:63bf:5601:5601", present}, {"::169.254.169.254", present},
		{"fd00:ec2::254", present}, {"fd00:ec2::254%eth0", present}, {"fd00:ec2::23", present}, {"fd20:ce::254", present}, {"100.100.100.200", present},
		{"169.254.170.2", present}, {"169.254.170.23", present}, {"192.0.0.192", present}, {"168.63.129.16", present},
	} {
		addr := netip.MustParseAddr(test.addr)
		everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		bare := addr.WithZone("").Unmap()
		for _, c := range []struct {
			name  string
			guard guard
			want  bool
		}{
			{"strict", guard{}, test.class == public},
			{"with private addresses", guard{allowPrivate: true}, test.class == public || test.class == dev},
			{"with everything on the allow-list", guard{allow: everything}, test.class != present},
			{"with itself on the allow-list", guard{allow: []netip.Prefix{netip.PrefixFrom(bare, bare.BitLen())}}, true},
			{"with itself and all private", guard{allowPrivate: true, allow: []netip.Prefix{netip.PrefixFrom(bare, bare.BitLen())}}, true},
		} {
			blocked := c.guard.check(addr)
			if (blocked == nil) != c.want {
				t.Errorf("%s %s: %v, want allowed = %t", test.addr, c.name, blocked, c.want)
			}
			if blocked != nil && (blocked.kind == "" || strings.Contains(blocked.Error(), "%")) {
				t.Errorf("%s %s: message %q", test.addr, c.name, blocked)
			}
		}
	}
}

// The library's own judge is the oracle: what it refuses the guard refuses, and the guard refuses
// nothing more but metadata. The two differ where the guard looks inside: IPv4 mapped into IPv6 and
// NAT64 are what they carry.
func TestGuardAgreesWithTheLibraryOverRandomAddresses(t *testing.T) {
	oracle := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())
	strict := guard{}
	random := rand.New(rand.NewPCG(1, 2))
	interesting := append(append([]netip.Prefix{nat64, nat64Local, teredo, sixToFour, v4Compat, netip.MustParsePrefix("::ffff:0:0/96"),
		netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/9")},
		ssrf.IPv4DeniedPrefixes...), ssrf.IPv6DeniedPrefixes...)
	refused := 0
	const rounds = 100_000
	for range rounds {
		addr := randomAddress(random, interesting)
		meant := addr.Unmap()
		if nat64.Contains(meant) {
			b := meant.As16()
			meant = netip.AddrFrom4([4]byte(b[12:]))
		}
		want := oracle.SafeAddr(meant) != nil || metadata(meant)
		got := strict.check(addr) != nil
		if got != want {
			t.Fatalf("%s (that is %s): refused %t, want %t", addr, meant, got, want)
		}
		if got {
			refused++
		}
	}
	if refused < rounds/10 || refused > rounds*9/10 {
		t.Errorf("%d of %d addresses were refused: the sample says little", refused, rounds)
	}
}

// randomAddress is any address, or one in or at the edge of a prefix where a decision changes.
func randomAddress(random *rand.Rand, prefixes []netip.Prefix) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], random.Uint64())
	binary.BigEndian.PutUint64(b[8:], random.Uint64())
	switch random.IntN(4) {
	case 0:
		return netip.AddrFrom4([4]byte(b[:4]))
	case 1:
		b[0] = 0x20 | b[0]&0x1f
		return netip.AddrFrom16(b)
	}
	prefix := prefixes[random.IntN(len(prefixes))]
	base := prefix.Addr().AsSlice()
	for i := range base { // the prefix's bits, then random ones
		keep := min(max(prefix.Bits()-8*i, 0), 8)
		mask := byte(0xff) >> keep
		base[i] = base[i]&^mask | b[i]&mask
	}
	addr, _ := netip.AddrFromSlice(base)
	switch random.IntN(8) {
	case 0:
		return prefix.Masked().Addr()
	case 1:
		if before := prefix.Masked().Addr().Prev(); before.IsValid() {
			return before
		}
	case 2:
		if addr.Is4() {
			return netip.AddrFrom16(addr.As16()) // mapped
		}
	}
	return addr
}

func FuzzGuardNeverLetsAPrivateAddressThroughInAnyForm(f *testing.F) {
	f.Add([]byte{10, 0, 0, 1})
	f.Add(netip.MustParseAddr("64:ff9b::a00:1").AsSlice())
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok || (&guard{}).check(addr) != nil {
			return
		}
		addr = addr.Unmap()
		if inner, embedded := embeddedIPv4(addr); embedded {
			addr = inner
		}
		if addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() || metadata(addr) {
			t.Errorf("%s was let through", addr)
		}
	})
}
