package api

// Sealing tells by what stored secrets are sealed.
type Sealing struct {
	Key      string `json:"key" doc:"Id of the newest key, which seals whatever is written." example:"20260218-5c0a91d3"`
	Outdated int    `json:"outdated" doc:"Secrets that an older key sealed. They are sealed again in the background: 0 when that is done."`
}
