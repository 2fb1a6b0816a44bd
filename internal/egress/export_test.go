package egress

// CertificatesKept tells tests how many client certificates have transports of their own.
func (c *Client) CertificatesKept() int {
	c.certified.mu.Lock()
	defer c.certified.mu.Unlock()
	return len(c.certified.pairs)
}
