// Package orgfile reads the description of an organization that -org names.
package orgfile

import (
	"os"

	"github.com/bonafide-mta/bonafide/identity/org"
)

// Read reads a description from its file. The errors of [org.Read] have the file's name.
func Read(file string) (*org.Organization, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return org.Read(file, f)
}
