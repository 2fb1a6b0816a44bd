package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postrider/postrider"
)

// publishRequest is one HTTP/1.1 request of n events, built once and patched for each use, so that
// the load generator takes as little of the machine as it can from what it measures.
type publishRequest struct {
	bytes []byte
	at    []int // where each event's data begins
}

func newPublishRequest(target *url.URL, key postrider.Secret, topic string, batch, size, n int) *publishRequest {
	data := newData(size)
	var body []byte
	at := make([]int, 0, n)
	path := "/v1/events"
	if batch > 1 {
		path += "/batch"
		body = append(body, '[')
	}
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"type":"`+topic+`","data":`...)
		at = append(at, len(body))
		body = append(body, data...)
		body = append(body, '}')
	}
	if batch > 1 {
		body = append(body, ']')
	}
	head := "POST " + path + " HTTP/1.1\r\nHost: " + target.Host + "\r\nContent-Type: application/json\r\n"
	if !key.IsZero() {
		head += "Authorization: Bearer " + key.Reveal() + "\r\n"
	}
	head += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	for i := range at {
		at[i] += len(head)
	}
	return &publishRequest{bytes: append([]byte(head), body...), at: at}
}

// patch gives the request's events the numbers from first.
func (r *publishRequest) patch(m marker) {
	for i, at := range r.at {
		patchMarker(r.bytes[at:], marker{run: m.run, number: m.number + i, sent: m.sent})
	}
}

// publisherConn is one keep-alive connection.
type publisherConn struct {
	net.Conn
	reader *bufio.Reader
	body   []byte // of the last response
}

func dialPublisher(ctx context.Context, target *url.URL) (*publisherConn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", target.Host)
	if err != nil {
		return nil, err
	}
	return &publisherConn{Conn: conn, reader: bufio.NewReaderSize(conn, 4096)}, nil
}

// maxAnswer bounds the body of an answer to a publish, in bytes.
const maxAnswer = 4 << 20

// exchange sends a request and reads its answer; c.body holds the answer's body until the next.
func (c *publisherConn) exchange(request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	return c.readAnswer()
}

// readAnswer reads one response: the few forms that a server on the other end of this benchmark can use.
func (c *publisherConn) readAnswer() (status int, err error) {
	c.body = c.body[:0]
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not an HTTP/1.1 status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("status line %q: %w", line, err)
	}
	length, chunked := 0, false
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, fmt.Errorf("Content-Length: %w", err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close")):
			return 0, fmt.Errorf("the server wants to close the connection after status %d (%s)", status, http.StatusText(status))
		}
	}
	if chunked {
		return status, c.readChunks()
	}
	return status, c.read(length)
}

func (c *publisherConn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size: %w", err)
		}
		if err := c.read(int(size)); err != nil {
			return err
		}
		if end, err := c.line(); err != nil || len(end) > 0 {
			return errors.Join(err, fmt.Errorf("after a chunk: %q", end))
		}
		if size == 0 {
			return nil
		}
	}
}

// read appends n bytes to the body.
func (c *publisherConn) read(n int) error {
	had := len(c.body)
	if n < 0 || had+n > maxAnswer {
		return fmt.Errorf("an answer of %d bytes", had+n)
	}
	if cap(c.body) < had+n {
		c.body = append(make([]byte, 0, 2*(had+n)), c.body...)
	}
	c.body = c.body[:had+n]
	_, err := io.ReadFull(c.reader, c.body[had:])
	return err
}

// line gives the next line without its end; it holds until the next read.
func (c *publisherConn) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
