package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/bounded"
)

// checks is the file for header_checks of Postfix, which looks at the fields that a policy
// service prepends as at those of the message: a field of ours comes with a secret name,
// which the last line replaces, and the lines above it delete what claims to be ours: fields
// with the name of the mail server anywhere before the first semicolon, and fields that do
// not begin with one plain word, and perhaps a version. Comments, quotes and encoded words
// are not plain, and an authserv-id may be missing.
const checks = `# header_checks of Postfix, by policyd -print-header-checks. Keep the last line secret: a
# message with the name in it forges the field.
` + deletes + `/^X-Results-%s:(.*)$/ REPLACE Authentication-Results:$1
`

// deletes has the lines that depend on nothing but the name of the mail server.
const deletes = `if /^Authentication-Results[[:space:]]*:/
/^[^:;]*:[^;]*%s/ IGNORE
!/^[^:]*:[[:space:]]*[A-Za-z0-9][-._A-Za-z0-9]*([[:space:]]+[0-9]+)?[[:space:]]*(;|$)/ IGNORE
endif
`

// pattern returns the name of a mail server for a regular expression.
func pattern(name string) string { return strings.ReplaceAll(name, ".", `\.`) }

// printChecks prints the file for a mail server, with a new secret.
func printChecks(w io.Writer, name string) error {
	_, err := fmt.Fprintf(w, checks, pattern(name), rand.Text())
	return err
}

var replaced = regexp.MustCompile(`(?m)^/\^(X-Results-[A-Z2-7]{26}):\(\.\*\)\$/ REPLACE Authentication-Results:\$1$`)

// readField returns the secret name in a file that printChecks has printed for a mail server.
// Other lines may be around those.
func readField(file, name string) (string, error) {
	text, err := bounded.ReadFile(file, 64<<10)
	if err != nil {
		return "", fmt.Errorf("-header-checks: %w", err)
	}
	found := replaced.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("-header-checks %s: expected a file of -print-header-checks, with a line that replaces X-Results-…", file)
	}
	if !strings.Contains(strings.ToLower(string(text)), strings.ToLower(fmt.Sprintf(deletes, pattern(name)))) {
		return "", fmt.Errorf("-header-checks %s: it does not delete what claims to be from %s: make it again with -print-header-checks", file, name)
	}
	return string(found[1]), nil
}
