// Package archtest is the house's laws as tests. It holds no code that runs.
//
// Each law has a reason, which is printed with every breach. Where a law does not fit, the place is
// entered in the law's list of exceptions, with a reason of its own; an exception that nothing needs
// any more is a breach as well, and so is a rule about a package that has gone. The laws are:
//
//   - floors_test.go: who may import whom, and which library is whose
//   - concurrency_test.go: who may start goroutines; no sleeping
//   - state_test.go: no init, no variables of a package that change, no exit from the depths
//   - shape_test.go: package comments, sizes of files, functions and interfaces, names
//   - trust_test.go: where secrets come out, where contexts begin, how requests go out
//   - words_test.go, links_test.go: nothing left undone, no path of one machine, no link into the void
//   - modules_test.go: versions that belong together
//
// The tests read the sources, all of them whatever their build tags, and compile nothing.
package archtest
