package api

// Contract is how requests to a webhook are shaped, signed, timed and retried.
type Contract struct {
	Name         string `json:"name" doc:"Its name, for the contract field of a webhook." example:"generic"`
	TimeoutMS    int64  `json:"timeout_ms" doc:"Time limit of an attempt, up to the answer's head." example:"5000"`
	MaxAttempts  int    `json:"max_attempts" doc:"Attempts in all, the first and every retry." example:"6"`
	SecretSource string `json:"secret_source" enum:"tenant,generated" doc:"Who makes the signing secret when the registration has none: \"tenant\" means that it must have one." example:"generated"`
}

// ContractDetail is a contract with its document.
type ContractDetail struct {
	Contract
	Source string `json:"source" doc:"The document itself, YAML."`
}
