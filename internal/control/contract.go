package control

import (
	"context"

	"github.com/postrider/postrider/contract"
	"github.com/postrider/postrider/internal/auth"
)

// Contracts lists the contracts that a webhook can have, by the set's order.
func (c *Control) Contracts(_ context.Context, p auth.Principal) ([]*contract.Contract, error) {
	if err := p.Authorize(auth.ReadContracts); err != nil {
		return nil, err
	}
	var all []*contract.Contract
	for _, name := range c.parts.Contracts.Names() {
		if found, ok := c.parts.Contracts.Find(name); ok {
			all = append(all, found)
		}
	}
	return all, nil
}

// FindContract gives a contract by name.
func (c *Control) FindContract(_ context.Context, p auth.Principal, name string) (*contract.Contract, error) {
	if err := p.Authorize(auth.ReadContracts); err != nil {
		return nil, err
	}
	found, ok := c.parts.Contracts.Find(name)
	if !ok {
		return nil, c.noContract(name)
	}
	return found, nil
}
