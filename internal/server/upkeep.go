package server

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/auth"
	"github.com/postrider/postrider/internal/store"
)

// How often what piles up is written down or swept away.
const (
	keepUsesEvery    = 15 * time.Second
	pruneTokensEvery = 10 * time.Minute
	pruneStep        = 500 // tokens in one transaction
)

// keepUp writes down the last use of keys and removes refresh tokens that have expired, from time to
// time until its teardown, which writes down the last ones.
func (s *Server) keepUp(ctx context.Context, keys *auth.Authenticator, db store.Store) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ctx bounds the start only
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		uses, tokens := time.NewTicker(keepUsesEvery), time.NewTicker(pruneTokensEvery)
		defer uses.Stop()
		defer tokens.Stop()
		for {
			var err error
			select {
			case <-ctx.Done():
				return
			case <-uses.C:
				err = keys.KeepUses(ctx, db)
			case now := <-tokens.C:
				err = pruneTokens(ctx, db, now)
			}
			if err != nil && ctx.Err() == nil {
				s.log.Warn("the store could not be kept up; it is tried again", "error", err)
			}
		}
	}()
	s.parts.on("write down the last use of keys", func(ctx context.Context) error {
		cancel()
		<-ended
		return keys.KeepUses(ctx, db)
	})
}

// passwords hashes in processes of their own when the options say how.
func (s *Server) passwords() *auth.Passwords {
	if len(s.options.HashCommand) == 0 {
		return auth.NewPasswords(auth.PasswordOptions{})
	}
	apart := auth.NewApart(s.options.HashCommand, s.log)
	s.parts.on("end the hashing of passwords", func(context.Context) error { apart.Close(); return nil })
	return auth.NewPasswords(auth.PasswordOptions{Apart: apart})
}

func pruneTokens(ctx context.Context, tokens store.Tokens, now time.Time) error {
	for {
		removed, err := tokens.PruneTokens(ctx, now.UTC(), pruneStep)
		if err != nil || removed < pruneStep {
			return err
		}
	}
}
