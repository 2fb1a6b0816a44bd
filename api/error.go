package api

// ErrorBody is the body of every answer that is not a success.
type ErrorBody struct {
	Error Error `json:"error"`
}

// Error says what was wrong, where, and what to do about it.
type Error struct {
	Code    string            `json:"code" doc:"What kind of failure it is; a closed list." enum:"invalid,unauthenticated,forbidden,not_found,method_not_allowed,conflict,too_large,unsupported_type,rate_limited,unavailable,storage_full,internal" example:"invalid"`
	Message string            `json:"message" doc:"What was wrong, for a person." example:"url: \"ftp://x\" has the scheme \"ftp\"; use https"`
	Fields  map[string]string `json:"fields,omitempty" doc:"What is wrong with each named input, when the input is at fault."`
}
