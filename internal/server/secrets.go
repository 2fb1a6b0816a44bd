package server

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/control"
	"github.com/postrider/postrider/internal/keyring"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/store/sqlite"
)

// How secrets are sealed again under a newer key: in transactions short enough to stand among events.
const (
	resealStep       = 25 // about 0.4 ms, as long as a small commit takes
	resealRetryAfter = time.Minute
)

// sealing holds the keys that seal what is secret in the store, and brings all of it under the newest one.
// It fulfils control.Sealing.
type sealing struct {
	config config.Config
	log    *slog.Logger
	wake   chan struct{} // holds a token when there is a newer key

	// Set by sealer, before anything else is asked.
	ring *keyring.Ring
	file string // of the keys; "" when they are configured
	made bool   // sealer made the file

	vault    store.Vault // set by start
	rotating sync.Mutex  // held while a key is made
}

func newSealing(c config.Config, log *slog.Logger) *sealing {
	return &sealing{config: c, log: log, wake: make(chan struct{}, 1)}
}

// sealer gives the store its keys: the configured ones, or those of the key file, which is made when the
// store holds nothing sealed yet. The store asks while its folder is locked, so that two first starts
// cannot make two.
func (k *sealing) sealer(sealed bool) (sqlite.Sealer, error) {
	keys, err := k.find(sealed)
	if err != nil {
		return nil, err
	}
	k.ring, err = keyring.New(keys...)
	return k.ring, err
}

func (k *sealing) find(sealed bool) ([]keyring.Key, error) {
	if !k.config.EncryptionKeys.IsZero() {
		return keyring.ParseKeys(k.config.EncryptionKeys)
	}
	k.file = k.config.KeyFile()
	keys, err := keyring.ReadFile(k.file)
	if postrider.ErrorCode(err) != postrider.CodeNotFound {
		return keys, err
	}
	if sealed {
		return nil, postrider.Errorf(postrider.CodeConflict,
			"the database in %s holds sealed secrets, and the key file %s is not there: put it back, name it with --encryption-key-file, or set POSTRIDER_ENCRYPTION_KEYS. Without the keys those secrets are lost", k.config.Data, k.file)
	}
	keys = []keyring.Key{keyring.Generate(time.Now())}
	if err := keyring.WriteFile(k.file, keys); err != nil {
		return nil, postrider.Errorf(postrider.CodeUnavailable,
			"%w; let this user write there, name another place with --encryption-key-file, or set POSTRIDER_ENCRYPTION_KEYS", err)
	}
	k.made = true
	k.log.Info("made a key that seals secrets; keep a copy of the file, apart from the backups of the data folder", "file", k.file, "key", keys[0].ID)
	return keys, nil
}

// start seals again, in the background, what an older key sealed, now and whenever a newer key is made. The
// teardown breaks it off; the next start goes on from there.
func (k *sealing) start(ctx context.Context, vault store.Vault) (teardown func(context.Context) error) {
	k.vault = vault
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ctx bounds the start only
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var again <-chan time.Time
			if err := k.reseal(ctx); err != nil && ctx.Err() == nil {
				k.log.Error("secrets could not be sealed by the newest key; it is tried again", "error", err, "after", resealRetryAfter)
				again = time.After(resealRetryAfter)
			}
			select {
			case <-ctx.Done():
				return
			case <-k.wake:
			case <-again:
			}
		}
	}()
	return func(context.Context) error {
		cancel()
		<-ended
		return nil
	}
}

func (k *sealing) reseal(ctx context.Context) error {
	total, err := k.vault.Outdated(ctx)
	if err != nil || total == 0 {
		return err
	}
	k.log.Info("sealing secrets again with the newest key", "key", k.ring.Newest(), "secrets", total)
	done, err := resealAll(ctx, k.vault, func(int) {})
	if err == nil {
		k.log.Info("all secrets are sealed by the newest key", "key", k.ring.Newest(), "secrets", done)
	}
	return err
}

// State fulfils control.Sealing.
func (k *sealing) State(ctx context.Context) (control.SealingState, error) {
	outdated, err := k.vault.Outdated(ctx)
	return control.SealingState{Key: k.ring.Newest(), Outdated: outdated}, err
}

// Rotate fulfils control.Sealing.
func (k *sealing) Rotate(ctx context.Context) (control.SealingState, error) {
	k.rotating.Lock()
	defer k.rotating.Unlock()
	state, err := k.State(ctx)
	if err != nil || state.Outdated > 0 {
		return state, err
	}
	if k.file == "" {
		return state, postrider.Errorf(postrider.CodeConflict,
			"the encryption keys are configured: put a new one in front of the others in POSTRIDER_ENCRYPTION_KEYS and start the server again; it seals all secrets with it")
	}
	if err := k.addKey(); err != nil {
		return state, err
	}
	select {
	case k.wake <- struct{}{}:
	default: // it will look anyway
	}
	return k.State(ctx)
}

// resealAll seals in steps, telling after each how many there were so far.
func resealAll(ctx context.Context, vault store.Vault, progress func(done int)) (done int, err error) {
	for {
		n, err := vault.Reseal(ctx, resealStep)
		if err != nil {
			return done, err
		}
		done += n
		progress(done)
		if n < resealStep {
			return done, nil
		}
	}
}

// Rotation is what RotateSecrets did.
type Rotation struct {
	Key    string   `json:"key"`            // id of the newest key, which seals everything now
	Made   bool     `json:"made"`           // RotateSecrets made that key
	File   string   `json:"file,omitempty"` // of the keys; "" when they are configured
	Sealed int      `json:"sealed"`         // secrets that it sealed again
	Unused []string `json:"unused"`         // ids of the keys that seal nothing in this store any more
}

// RotateSecrets brings the secrets of a data folder that no server uses under a new key. With a key file it
// makes that key, unless one before was broken off, which it finishes; configured keys are its
// caller's to make. progress is told how many of how many are done.
func RotateSecrets(ctx context.Context, c config.Config, progress func(done, total int)) (_ *Rotation, err error) {
	if _, err := os.Stat(c.Data); err != nil {
		return nil, postrider.Errorf(postrider.CodeNotFound, "there is no data folder %s; name it with --data", c.Data)
	}
	k := newSealing(c, slog.New(slog.DiscardHandler))
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: c.Data, Sealer: k.sealer})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	total, err := db.Outdated(ctx)
	if err != nil {
		return nil, err
	}
	r := &Rotation{File: k.file, Made: k.made}
	if total == 0 && k.file != "" && !k.made {
		if err := k.addKey(); err != nil {
			return nil, err
		}
		r.Made = true
		if total, err = db.Outdated(ctx); err != nil {
			return nil, err
		}
	}
	progress(0, total)
	if r.Sealed, err = resealAll(ctx, db, func(done int) { progress(done, total) }); err != nil {
		return nil, err
	}
	r.Key = k.ring.Newest()
	r.Unused = slices.DeleteFunc(k.ring.IDs(), func(id string) bool { return id == r.Key })
	return r, nil
}

// addKey makes a newer key. It is on the disk before anything is sealed by it.
func (k *sealing) addKey() error {
	keys, err := keyring.ReadFile(k.file)
	if err != nil {
		return err
	}
	key := keyring.Generate(time.Now())
	if err := keyring.WriteFile(k.file, slices.Insert(keys, 0, key)); err != nil {
		return err
	}
	return k.ring.Add(key)
}
