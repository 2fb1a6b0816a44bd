// Package bench is `postrider bench`: the yardstick and the product in one run, as ratios.
//
// Four programs run as separate processes on loopback, all of them this executable started with a
// hidden subcommand: a sink (the receiver, which counts what arrives and how late), a load generator
// (the publisher), and in turns either the bare relay (ingest, sign, deliver, keep nothing) or the
// product itself (`serve`). Relay and product alternate round by round, so that a machine that grows
// slower during the run is slower for both; what is reported are medians over the rounds, and ratios
// of the two sides of a round.
//
// To begin reading: scenario.go says what is measured against what, round.go how one measurement is
// made, contender.go what is measured, and sink.go, load.go and relay.go are the programs beside it.
//
// Each event carries its run, its number and the moment it was sent in its data (marker.go), so that
// the sink knows what is lost, what came twice, and the latency from end to end on one machine's clock.
package bench
