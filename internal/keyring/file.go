package keyring

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/postrider/postrider"
)

// maxFileSize bounds a key file, in bytes.
const maxFileSize = 64 << 10

const fileHead = `# Encryption keys of Postrider, id:base64, the newest first. Without them the secrets in the database
# cannot be read: keep a copy where the backups of the database are not.
`

// ReadFile reads the keys of a file, the newest first. A file that others than its owner may read or
// write is refused. The error is of CodeInvalid, or of CodeNotFound when there is no such file.
func ReadFile(path string) ([]Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fileFault(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fileFault(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the key file %s is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the key file %s can be used by others (mode %04o); take that from them with: chmod 600 %s", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, fileFault(path, err)
	}
	if len(text) > maxFileSize {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the key file %s is larger than %d bytes", path, maxFileSize)
	}
	keys, err := ParseKeys(postrider.NewSecret(string(text)))
	if err != nil {
		return nil, postrider.Errorf(postrider.CodeInvalid, "the key file %s: %w", path, err)
	}
	return keys, nil
}

// WriteFile puts keys, the newest first, into a file that only its owner can read, in place of what is
// there, as a whole or not at all; it is on the disk when this returns.
func WriteFile(path string, keys []Key) error {
	var b strings.Builder
	b.WriteString(fileHead)
	for _, key := range keys {
		b.WriteString(key.text() + "\n")
	}
	if err := replace(path, b.String()); err != nil {
		return fileFault(path, err)
	}
	return nil
}

func replace(path, text string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func fileFault(path string, err error) error {
	code, message := postrider.CodeInvalid, "the key file "+path+" cannot be used: "+err.Error()
	if errors.Is(err, os.ErrNotExist) {
		code = postrider.CodeNotFound
	}
	return &postrider.Error{Code: code, Message: message, Err: err}
}
