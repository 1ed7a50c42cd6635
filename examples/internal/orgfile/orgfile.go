// Package orgfile reads the description of an organization that -org names.
package orgfile

import (
	"os"

	"github.com/bonafide-mta/bonafide/identity/org"
)

// Read reads a description from its file. The errors of [org.Parse] have the file's name.
func Read(file string) (*org.Organization, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return org.Parse(file, text)
}
