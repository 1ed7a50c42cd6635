package org_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bonafide-mta/bonafide/identity/org"
)

func TestRead(t *testing.T) {
	text := "domain: a.test\nmtas: [{addresses: [192.0.2.1], helo: mx.a.test}]\n"
	if o, err := org.Read("org.yaml", iotest.OneByteReader(strings.NewReader(text))); err != nil || o.Domain != "a.test." {
		t.Errorf("%+v, %v", o, err)
	}
	var bad *org.Error
	if _, err := org.Read("org.yaml", strings.NewReader("domain: [")); !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "org.yaml:1:") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := org.Read("org.yaml", iotest.ErrReader(broken)); !errors.Is(err, broken) || err.Error() != "org.yaml: broken" {
		t.Error(err)
	}
	if _, err := org.Read("org.yaml", zeros{}); err == nil || err.Error() != "org.yaml: more than 256 KiB: expected the description of one organization" {
		t.Error(err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var _ io.Reader = zeros{}
