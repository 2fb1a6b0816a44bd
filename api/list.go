package api

// List is a page of a list. Next is the cursor of the page after it, null on the last one.
type List[T any] struct {
	Data []T     `json:"data" nullable:"false" doc:"The page's elements."`
	Next *string `json:"next" nullable:"true" doc:"Cursor of the next page: send it as ?cursor=. Null on the last page."`
}
