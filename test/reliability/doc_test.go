// Package reliability_test puts the real program into trouble: it is killed at random moments under
// load, and every event that it answered 202 must be accounted for.
package reliability_test
