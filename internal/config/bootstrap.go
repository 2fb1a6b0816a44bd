package config

import (
	"fmt"

	"github.com/postrider/postrider"
	"github.com/postrider/postrider/internal/auth"
)

// Bootstrap is what a server makes at its start if it is absent: for tests, demos, and operators who
// keep their set-up in a repository. Applying it again changes nothing. What exists under the same
// name is left as it is, even where the document says something else.
type Bootstrap struct {
	Tenants   []BootstrapTenant   `yaml:"tenants"`
	Users     []BootstrapUser     `yaml:"users"`
	Keys      []BootstrapKey      `yaml:"keys"`
	Endpoints []BootstrapEndpoint `yaml:"endpoints"`
}

// BootstrapTenant is found again by its name. Tenants that keys or endpoints name are made too.
type BootstrapTenant struct {
	Name string `yaml:"name"`
}

// BootstrapUser is somebody who logs in by name and password; it is found again by its login.
type BootstrapUser struct {
	Tenant   string           `yaml:"tenant"` // "" is the default tenant; an operator has none
	Email    string           `yaml:"email"`  // the login, 1 to 320 characters
	Password postrider.Secret `yaml:"password"`
	Role     postrider.Role   `yaml:"role"` // "" is admin
}

// BootstrapKey is a bearer key with a text that the operator chose; it is found again by that text.
type BootstrapKey struct {
	Tenant      string                `yaml:"tenant"`      // "" is the default tenant
	Environment postrider.Environment `yaml:"environment"` // "" is production
	Role        postrider.Role        `yaml:"role"`        // admin, publisher or viewer
	Name        string                `yaml:"name"`
	Key         postrider.Secret      `yaml:"key"` // printable ASCII, at least 16 characters
}

// BootstrapEndpoint is found again by its tenant, environment, contract and URL.
type BootstrapEndpoint struct {
	Tenant      string                `yaml:"tenant"`      // "" is the default tenant
	Environment postrider.Environment `yaml:"environment"` // "" is production
	URL         string                `yaml:"url"`
	Events      []postrider.Topic     `yaml:"events"`
	Contract    string                `yaml:"contract"` // "" is generic
	Description string                `yaml:"description"`
	Secret      postrider.Secret      `yaml:"secret"`
}

// maxBootstrapItems bounds each section.
const maxBootstrapItems = 10_000

// ReadBootstrap reads a bootstrap file and fills in what may be left out. The error is of CodeInvalid and
// lists every fault with its line. What only the running server can judge, such as the rules of a
// contract, is checked when it is applied. dev permits short keys.
func ReadBootstrap(path string, dev bool) (*Bootstrap, error) {
	f := &faults{subject: "the bootstrap file"}
	d := document{path: path, faults: f}
	var read Bootstrap
	d.read(&read)
	for _, section := range []struct {
		name string
		size int
	}{{"tenants", len(read.Tenants)}, {"users", len(read.Users)}, {"keys", len(read.Keys)}, {"endpoints", len(read.Endpoints)}} {
		if section.size > maxBootstrapItems {
			f.add(d.at(section.name), "has %d entries; use at most %d and make the rest through the REST API", section.size, maxBootstrapItems)
		}
	}
	for i := range read.Tenants {
		if read.Tenants[i].Name == "" {
			f.add(d.at(fmt.Sprintf("tenants[%d].name", i)), "give the tenant a name")
		}
	}
	for i := range read.Users {
		read.Users[i].complete(&d, fmt.Sprintf("users[%d].", i))
	}
	for i := range read.Keys {
		read.Keys[i].complete(&d, fmt.Sprintf("keys[%d].", i), dev)
	}
	for i := range read.Endpoints {
		read.Endpoints[i].complete(&d, fmt.Sprintf("endpoints[%d].", i))
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return &read, nil
}

func (u *BootstrapUser) complete(d *document, path string) {
	if u.Role == "" {
		u.Role = postrider.RoleAdmin
	}
	if err := u.Role.Validate(); err != nil {
		d.faults.add(d.at(path+"role"), "%v", err)
	}
	switch {
	case u.Role == postrider.RoleOperator && u.Tenant != "":
		d.faults.add(d.at(path+"tenant"), "an operator belongs to no tenant; leave it out")
	case u.Role != postrider.RoleOperator && u.Tenant == "":
		u.Tenant = postrider.DefaultTenant
	}
	if u.Email == "" {
		d.faults.add(d.at(path+"email"), "name what the user logs in by")
	}
	if err := auth.CheckPassword(u.Password); err != nil {
		d.faults.add(d.at(path+"password"), "%v", err)
	}
}

func (k *BootstrapKey) complete(d *document, path string, dev bool) {
	completeOwner(d, path, &k.Tenant, &k.Environment)
	switch k.Role {
	case postrider.RoleAdmin, postrider.RolePublisher, postrider.RoleViewer:
	default:
		d.faults.add(d.at(path+"role"), "use admin, publisher or viewer")
	}
	if fault := keyFault(k.Key, dev); fault != "" {
		d.faults.add(d.at(path+"key"), "%s", fault)
	}
}

func (e *BootstrapEndpoint) complete(d *document, path string) {
	completeOwner(d, path, &e.Tenant, &e.Environment)
	if e.Contract == "" {
		e.Contract = "generic"
	}
	if e.URL == "" {
		d.faults.add(d.at(path+"url"), "name the URL that events go to")
	}
	if len(e.Events) == 0 {
		d.faults.add(d.at(path+"events"), "name at least one topic, or \"*\"")
	}
	for i, topic := range e.Events {
		if err := topic.ValidatePattern(); err != nil {
			d.faults.add(d.at(fmt.Sprintf("%sevents[%d]", path, i)), "%v", err)
		}
	}
}

func completeOwner(d *document, path string, tenant *string, environment *postrider.Environment) {
	if *tenant == "" {
		*tenant = postrider.DefaultTenant
	}
	if *environment == "" {
		*environment = postrider.Production
	}
	if err := environment.Validate(); err != nil {
		d.faults.add(d.at(path+"environment"), "%v", err)
	}
}
