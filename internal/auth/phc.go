package auth

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/postrider/postrider"
)

// cost is what a hash takes: memory in KiB, passes over it, and lanes.
type cost struct {
	memory, passes uint32
	lanes          uint8
}

// phc is a hash as a PHC string holds it (github.com/P-H-C/phc-string-format):
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<sum>, both base64 without padding.
type phc struct {
	cost
	salt, sum []byte
}

const (
	saltBytes = 16 // RFC 9106, section 3.1
	sumBytes  = 32
)

// The most that a stored hash may ask for, so that a damaged one cannot take the machine.
const (
	maxMemory = 256 << 10 // KiB
	maxPasses = 16
	maxLanes  = 16
)

// newPHC makes a hash with a salt and without its sum.
func newPHC(c cost) phc {
	p := phc{cost: c, salt: make([]byte, saltBytes), sum: make([]byte, sumBytes)}
	// crypto/rand.Read never fails: it ends the program instead (crypto/rand documentation).
	_, _ = rand.Read(p.salt)
	return p
}

// String writes the PHC string.
func (p *phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.lanes,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.sum))
}

// parsePHC reads what String wrote. The error is of CodeInternal: the text came from the store. It
// does not show the text.
func parsePHC(text string) (phc, error) {
	fault := func(what string) (phc, error) {
		return phc{}, postrider.Errorf(postrider.CodeInternal, "a stored password hash is damaged: %s", what)
	}
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return fault("it is not one of argon2id")
	}
	var p phc
	var rest string
	n, _ := fmt.Sscanf(parts[3]+" .", "m=%d,t=%d,p=%d %s", &p.memory, &p.passes, &p.lanes, &rest)
	if n != 4 || p.memory < 8 || p.memory > maxMemory || p.passes < 1 || p.passes > maxPasses || p.lanes < 1 || p.lanes > maxLanes {
		return fault("its cost is out of bounds")
	}
	var saltFault, sumFault error
	p.salt, saltFault = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	p.sum, sumFault = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if saltFault != nil || sumFault != nil || len(p.salt) < 8 || len(p.salt) > 64 || len(p.sum) < 16 || len(p.sum) > 64 {
		return fault("its salt or its sum is not base64 of a good length")
	}
	return p, nil
}
