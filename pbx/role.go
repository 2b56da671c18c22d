package pbx

// Role is what one who has logged in may do: each role may do all that those before it may.
type Role string

// The roles, the least first.
const (
	RoleAgent      Role = "agent"      // his own calls and his own state
	RoleSupervisor Role = "supervisor" // sees all, and looks after calls and agents
	RoleAdmin      Role = "admin"      // changes settings, users and what is stored
)

var ranks = map[Role]int{RoleAgent: 1, RoleSupervisor: 2, RoleAdmin: 3}

// AtLeast reports whether r may do what least may; of what is no role nobody may do anything.
func (r Role) AtLeast(least Role) bool {
	have, ok := ranks[r]
	want, known := ranks[least]
	return ok && known && have >= want
}

// Known reports whether r is one of the roles.
func (r Role) Known() bool { return ranks[r] > 0 }
