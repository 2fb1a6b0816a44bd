package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/postrider/postrider"
)

// Ring is a set of keys, the newest first. It is safe for concurrent use.
type Ring struct {
	keys atomic.Pointer[[]*sealingKey]
	add  sync.Mutex // held by Add, so that no key is lost
}

// sealingKey is a key with what was derived from it.
type sealingKey struct {
	Key
	ciphers sync.Map // cipher.AEAD by purpose; purposes are few and come from code
}

// New makes a ring of keys, the newest first. The error is of CodeInvalid.
func New(keys ...Key) (*Ring, error) {
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, postrider.Errorf(postrider.CodeInvalid, "a key ring has 1 to %d encryption keys", maxKeys)
	}
	if err := unique(keys); err != nil {
		return nil, err
	}
	all := make([]*sealingKey, len(keys))
	for i, key := range keys {
		all[i] = &sealingKey{Key: key}
	}
	r := new(Ring)
	r.keys.Store(&all)
	return r, nil
}

// Add puts a newer key in front: from now on it seals.
func (r *Ring) Add(key Key) error {
	r.add.Lock()
	defer r.add.Unlock()
	all := *r.keys.Load()
	if len(all) >= maxKeys {
		return postrider.Errorf(postrider.CodeInvalid, "there are %d encryption keys already; remove those that seal nothing any more", maxKeys)
	}
	if r.find(key.ID) != nil {
		return postrider.Errorf(postrider.CodeInvalid, "there is an encryption key with the id %q already", key.ID)
	}
	all = slices.Insert(slices.Clone(all), 0, &sealingKey{Key: key})
	r.keys.Store(&all)
	return nil
}

// Newest is the id of the key that seals.
func (r *Ring) Newest() string { return (*r.keys.Load())[0].ID }

// IDs lists the keys, the newest first.
func (r *Ring) IDs() []string {
	var ids []string
	for _, key := range *r.keys.Load() {
		ids = append(ids, key.ID)
	}
	return ids
}

const version = 1

// Seal encrypts plain with the newest key, whose id it gives. What is sealed opens with the same purpose,
// tenant and row only.
func (r *Ring) Seal(purpose string, tenant postrider.TenantID, row string, plain []byte) (id string, sealed []byte, err error) {
	key := (*r.keys.Load())[0]
	aead, err := key.cipher(purpose)
	if err != nil {
		return "", nil, err
	}
	sealed = make([]byte, 0, 2+len(key.ID)+aead.Overhead()+len(plain))
	sealed = append(sealed, version, byte(len(key.ID)))
	sealed = append(sealed, key.ID...)
	return key.ID, aead.Seal(sealed, nil, plain, binding(sealed, purpose, tenant, row)), nil
}

// Open decrypts what Seal made. The error is of CodeInternal, says what to do and shows neither key nor
// secret.
func (r *Ring) Open(purpose string, tenant postrider.TenantID, row string, sealed []byte) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != version || len(sealed) < 2+int(sealed[1]) {
		return nil, postrider.Errorf(postrider.CodeInternal, "the stored secret %s %q was not sealed by this version of Postrider, or is damaged", purpose, row)
	}
	head, rest := sealed[:2+sealed[1]], sealed[2+sealed[1]:]
	id := string(head[2:])
	key := r.find(id)
	if key == nil {
		return nil, postrider.Errorf(postrider.CodeInternal, "the stored secret %s %q is sealed by the encryption key %q, which is not among those given; put it back behind the newer ones", purpose, row, id)
	}
	aead, err := key.cipher(purpose)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, rest, binding(head, purpose, tenant, row))
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInternal, "the stored secret %s %q does not open with the encryption key %q: another key has that id now, or the value was changed or moved", purpose, row, id)
	}
	return plain, nil
}

func (r *Ring) find(id string) *sealingKey {
	for _, key := range *r.keys.Load() {
		if key.ID == id {
			return key
		}
	}
	return nil
}

// cipher gives the cipher of a purpose, derived at first use.
func (k *sealingKey) cipher(purpose string) (cipher.AEAD, error) {
	if aead, found := k.ciphers.Load(purpose); found {
		return aead.(cipher.AEAD), nil
	}
	derived, err := hkdf.Key(sha256.New, []byte(k.secret.Reveal()), nil, "postrider sealing "+purpose, KeySize)
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInternal, "no key can be derived: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInternal, "no cipher can be made: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInternal, "no cipher can be made: %w", err)
	}
	k.ciphers.Store(purpose, aead)
	return aead, nil
}

// binding is the additional data: the head of the value, then purpose, tenant and row, each with its length,
// so that no two places have the same.
func binding(head []byte, purpose string, tenant postrider.TenantID, row string) []byte {
	b := make([]byte, 0, len(head)+len(purpose)+len(tenant.ID)+len(row)+12)
	b = append(b, head...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(purpose)))
	b = append(b, purpose...)
	b = append(b, tenant.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(row)))
	return append(b, row...)
}
