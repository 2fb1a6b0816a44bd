// Package observe makes what an operator watches Postrider with: a structured logger and the metrics
// of one process.
//
// Nothing here is global. NewLogger gives a slog.Logger that is handed down, and NewMetrics a
// registry of its own, so that two servers in one test never share a counter. The packages that do
// the work do not know this one: they take small functions in their Options, and the composition
// root (internal/server) hands them the methods of Metrics.
//
// Labels are closed lists (outcome codes, delivery states). Nothing that grows with tenants,
// endpoints or topics may become a label.
package observe
