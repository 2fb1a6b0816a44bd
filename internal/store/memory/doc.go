// Package memory is a store.Store that keeps everything in memory, for tests: it passes storetest, so
// that what is shown with it holds for the databases too, and it runs inside a testing/synctest
// bubble, where days of retries pass in milliseconds. FailWith lets a test make chosen calls fail, before
// or after they took effect.
//
// It is not meant for production: nothing is durable.
package memory
