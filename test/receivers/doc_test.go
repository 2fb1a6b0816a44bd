// Package receivers_test delivers to the receivers of the seeds, in the languages that the seeds show
// them in, through the real contracts and over real sockets. install.sh installs what they run on.
package receivers_test
