package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/contract"
)

// Bounds on a folder of contracts.
const (
	maxContracts     = 1000
	maxContractBytes = 1 << 20
)

// loadContracts gives the built-in contracts and those of folder ("" for none), with their schedules
// divided by scale.
func loadContracts(folder string, scale float64) (*contract.Set, error) {
	all := contract.Builtin()
	if folder != "" {
		own, err := readContracts(folder)
		if err != nil {
			return nil, err
		}
		all = append(all, own...)
	}
	for i, c := range all {
		all[i] = c.Scaled(scale)
	}
	set, err := contract.NewSet(all...)
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the contracts cannot be used together: %w", err)
	}
	return set, nil
}

func readContracts(folder string) ([]*contract.Contract, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the folder of contracts %s cannot be read; name one that exists with --contracts", folder)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the folder of contracts %s cannot be searched: %w", folder, err)
	}
	if len(paths) > maxContracts {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the folder %s holds %d contracts; use at most %d", folder, len(paths), maxContracts)
	}
	var all []*contract.Contract
	for _, path := range paths {
		c, err := readContract(path)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func readContract(path string) (*contract.Contract, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "a contract cannot be read: %w", err)
	}
	defer file.Close()
	source, err := io.ReadAll(io.LimitReader(file, maxContractBytes+1))
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "a contract cannot be read: %w", err)
	}
	if len(source) > maxContractBytes {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the contract %s is over 1 MiB", path)
	}
	c, err := contract.Parse(source)
	if err != nil {
		return nil, &postrider.Error{Code: postrider.CodeInvalid, Message: fmt.Sprintf("the contract %s has faults:\n%v", path, err), Err: err}
	}
	return c, nil
}
