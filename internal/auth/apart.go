package auth

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/postrider/postrider"
)

// Apart hashes passwords in processes of their own, of low priority. Inside the gateway's process a hash would take a processor from the goroutines that
// publish, and its memory would make the collector run: beside 200 logins publishing took many times
// as long. A process is started when it is needed and kept; it ends with the gateway, however that
// ends, because its input does. It is safe for concurrent use.
type Apart struct {
	command []string
	log     *slog.Logger

	mu     sync.Mutex // guards what follows; never held while hashing
	idle   []*hasher
	closed bool
	told   bool // that it does not work
}

// NewApart makes an Apart. command is a program and its arguments that run ServeHashes on its
// standard input and output.
func NewApart(command []string, log *slog.Logger) *Apart {
	return &Apart{command: command, log: log}
}

// hashRequest asks a process for a hash, and hashAnswer is what it gives: each is one line of JSON.
type hashRequest struct {
	Password []byte `json:"password"`
	Salt     []byte `json:"salt"`
	Memory   uint32 `json:"memory"`
	Passes   uint32 `json:"passes"`
	Lanes    uint8  `json:"lanes"`
	Length   uint32 `json:"length"`
}

type hashAnswer struct {
	Sum []byte `json:"sum"`
}

func (r *hashRequest) derive() []byte {
	return argon2.IDKey(r.Password, r.Salt, r.Passes, r.Memory, r.Lanes, r.Length)
}

// ServeHashes answers requests for hashes until in ends. It is what the processes of an Apart do.
func ServeHashes(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var request hashRequest
		if err := requests.Decode(&request); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return postrider.Errorf(postrider.CodeInvalid, "this is no request for a hash: %w", err)
		}
		if request.Memory > maxMemory || request.Passes < 1 || request.Passes > maxPasses || request.Lanes < 1 || request.Lanes > maxLanes || request.Length > 64 {
			return postrider.Errorf(postrider.CodeInvalid, "the request's cost is out of bounds")
		}
		if err := answers.Encode(hashAnswer{request.derive()}); err != nil {
			return postrider.Errorf(postrider.CodeUnavailable, "nobody takes the hash: %w", err)
		}
	}
}

// hashTime is more than a hash ever takes on a machine that has other things to do first.
const hashTime = time.Minute

// derive hashes in another process, or in this one when that cannot be done.
func (a *Apart) derive(request *hashRequest) []byte {
	h, err := a.take()
	if err == nil {
		var sum []byte
		if sum, err = h.derive(request); err == nil {
			a.put(h)
			return sum
		}
		h.end()
	}
	a.tell(err)
	return request.derive()
}

// Close ends the processes that are idle; others end when their hash is done.
func (a *Apart) Close() {
	a.mu.Lock()
	idle := a.idle
	a.idle, a.closed = nil, true
	a.mu.Unlock()
	for _, h := range idle {
		h.end()
	}
}

func (a *Apart) take() (*hasher, error) {
	a.mu.Lock()
	if last := len(a.idle) - 1; last >= 0 {
		h := a.idle[last]
		a.idle = a.idle[:last]
		a.mu.Unlock()
		return h, nil
	}
	a.mu.Unlock()
	return startHasher(a.command)
}

func (a *Apart) put(h *hasher) {
	a.mu.Lock()
	closed := a.closed
	if !closed {
		a.idle = append(a.idle, h)
	}
	a.mu.Unlock()
	if closed {
		h.end()
	}
}

func (a *Apart) tell(err error) {
	a.mu.Lock()
	told := a.told
	a.told = true
	a.mu.Unlock()
	if !told {
		a.log.Warn("passwords cannot be hashed in a process of their own; logins may slow down events", "error", err)
	}
}

// hasher is one process.
type hasher struct {
	process *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
	ended   sync.Once
}

func startHasher(command []string) (*hasher, error) {
	process := exec.Command(command[0], command[1:]...)
	process.Env = []string{"GOMAXPROCS=1"} // a hash needs one processor, and none of the gateway's secrets
	process.SysProcAttr = ownSession()
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	h := &hasher{process: process, in: in, answers: json.NewDecoder(out)}
	if err := giveWay(process.Process.Pid); err != nil {
		h.end()
		return nil, err
	}
	return h, nil
}

func (h *hasher) derive(request *hashRequest) ([]byte, error) {
	guard := time.AfterFunc(hashTime, func() { _ = h.process.Process.Kill() })
	defer guard.Stop()
	if err := json.NewEncoder(h.in).Encode(request); err != nil {
		return nil, err
	}
	var answer hashAnswer
	if err := h.answers.Decode(&answer); err != nil {
		return nil, err
	}
	if len(answer.Sum) != int(request.Length) {
		return nil, postrider.Errorf(postrider.CodeInternal, "a hash has %d bytes", len(answer.Sum))
	}
	return answer.Sum, nil
}

// end lets the process end and waits for it.
func (h *hasher) end() {
	h.ended.Do(func() {
		_ = h.in.Close()
		guard := time.AfterFunc(time.Second, func() { _ = h.process.Process.Kill() })
		defer guard.Stop()
		_ = h.process.Wait() // it may have been killed; there is nobody to tell
	})
}
