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
// which the last line replaces, and the other lines delete what claims to be ours. Pattern
// 1 is the name of the mail server anywhere before the first semicolon; pattern 2 is an
// authserv-id that is missing, or that has anything but letters, digits and "-._", as
// comments, quotes and encoded words have.
const checks = `# header_checks of Postfix, by policyd -print-header-checks. Keep the last line secret: a
# message with the name in it forges the field.
/^Authentication-Results[[:space:]]*:[^;]*%s/ IGNORE
/^Authentication-Results[[:space:]]*:[[:space:]]*(;|$|[^;]*[^-._A-Za-z0-9[:space:];])/ IGNORE
/^X-Results-%s:(.*)$/ REPLACE Authentication-Results:$1
`

// printChecks prints the file for a mail server, with a new secret.
func printChecks(w io.Writer, name string) error {
	_, err := fmt.Fprintf(w, checks, strings.ReplaceAll(name, ".", `\.`), rand.Text())
	return err
}

var replaced = regexp.MustCompile(`(?m)^/\^(X-Results-[A-Z2-7]{26}):\(\.\*\)\$/ REPLACE Authentication-Results:\$1$`)

// readField returns the secret name in a file that printChecks has printed.
func readField(file string) (string, error) {
	text, err := bounded.ReadFile(file, 64<<10)
	if err != nil {
		return "", fmt.Errorf("-header-checks: %w", err)
	}
	found := replaced.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("-header-checks %s: expected a file of -print-header-checks, with a line that replaces X-Results-…", file)
	}
	return string(found[1]), nil
}
