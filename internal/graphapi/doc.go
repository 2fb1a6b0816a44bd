// Package graphapi is the tongue of seeds 000 and 001: POST /login, which gives tokens in the shape of
// Amazon Cognito, and POST /graphql, which answers in the shape of AWS AppSync.
//
// handler.go has the routes, login.go the way in, and authorize.go the three refusals of seed 001.
// A GraphQL request goes through request.go (what was asked), document.go (is it within bounds and
// valid), execute.go (walk the selections) and answer.go (how errors look). schema.graphql is the
// schema; webhook.go and delivery.go hold the resolvers of its fields, each of which decodes, asks
// one verb of control and gives what is to be shown; introspect.go answers questions about the schema.
//
// Documents are parsed and validated by gqlparser and executed here, over its tree: the schema is
// small, the position of every field is at hand for the errors, and texts stay what was sent, to the
// code point, which matters for secrets.
package graphapi
