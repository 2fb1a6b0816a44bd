// Package newman_test runs the Postman collection of seed 001, as it stands in that document, against a
// whole server, and beside it a client written from the text of seeds 000 and 001 alone.
//
// testdata/collection.json is the collection of the document byte for byte; the test puts the server's
// address in the place of the two hosts and changes nothing else. install.sh brings newman, and
// "make test" calls it. Without newman the test fails.
package newman_test
