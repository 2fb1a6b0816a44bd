// Package keyring encrypts the secrets that a store keeps, so that its file alone tells none of them.
//
// A Ring holds several keys of 32 bytes. The newest seals, all of them open, so that keys can be exchanged
// while everything sealed before can still be read. Each value is sealed with AES-256-GCM under a key
// derived for its purpose (HKDF, RFC 5869), and bound to its purpose, tenant and row: moved elsewhere,
// it does not open.
//
// To begin reading: ring.go seals and opens; key.go reads and writes keys as text; file.go keeps them
// in a file that only its owner can read.
//
// # A sealed value
//
//	version    1 byte, 1
//	key id     1 byte of length, then the id
//	nonce      12 bytes, random
//	ciphertext as long as the plain text, and 16 bytes of tag
//
// Random nonces bound a key to 2^32 values (NIST SP 800-38D, 8.3), which is far above the number of
// endpoints that a store will ever see changed.
package keyring
