package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/postrider/postrider"
)

// lockFile holds the process id of the one process that uses the data folder, under a lock of the
// operating system that ends with that process, however it ends. The file itself stays.
const lockFile = "LOCK"

type folderLock struct{ file *os.File }

func lockFolder(dir string) (*folderLock, error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderFault(dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
				Message: "the data folder " + dir + " cannot be locked (" + err.Error() + "); put it on a local disk"}
		}
		return nil, &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
			Message: "the data folder " + dir + " is in use by " + holder(path) + "; stop that process, or choose another folder with --data"}
	}
	pid := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if err := errors.Join(file.Truncate(0), writeAt(file, pid)); err != nil {
		file.Close()
		return nil, folderFault(dir, err)
	}
	return &folderLock{file}, nil
}

func writeAt(file *os.File, b []byte) error {
	_, err := file.WriteAt(b, 0)
	return err
}

func holder(path string) string {
	if b, err := os.ReadFile(path); err == nil && len(b) > 0 && len(b) < 20 {
		return "process " + strings.TrimSpace(string(b))
	}
	return "another process"
}

func (l *folderLock) release() error { return l.file.Close() }

// folderFault says what to do about a folder or file that cannot be used.
func folderFault(dir string, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
			Message: "the data folder " + dir + " cannot be used: " + err.Error() + "; give this user read and write access to it, or choose another folder with --data"}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return &postrider.Error{Code: postrider.CodeStorageFull, Err: err,
			Message: "the disk of the data folder " + dir + " is full; free some space and start again"}
	case errors.Is(err, syscall.EROFS):
		return &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
			Message: "the data folder " + dir + " is on a read-only file system; choose another folder with --data"}
	}
	return &postrider.Error{Code: postrider.CodeUnavailable, Err: err,
		Message: "the data folder " + dir + " cannot be used: " + err.Error() + "; choose a folder on a local disk with --data"}
}
